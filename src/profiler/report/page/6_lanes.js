// What each thread did when: a lane per thread and depth, drawn on a canvas, zoomed by the wheel.

function draw_lanes() {
  const plot = $("#lanes .plot");
  if (data.lanes.length === 0) return () => {};
  const [left, row_height, gap, axis] = [120, 17, 10, 26];
  const canvas = element("canvas", { role: "img", "aria-label": "what each thread did when" });
  plot.append(canvas);
  let view, from, to, height;

  // Numbers are stored as differences; see html_report.cpp.
  function unpack(lanes) {
    if (lanes.unpacked) return lanes;
    let y = 0, last = -1;
    for (const row of lanes.rows) {
      const n = row.spans.length / 5;
      Object.assign(row, { n, begin: new Float64Array(n), end: new Float64Array(n), label: new Uint32Array(n), count: new Uint32Array(n), cover: new Uint8Array(n) });
      for (let i = 0, at = 0; i < n; ++i) {
        at += row.spans[5 * i];
        row.begin[i] = at;
        row.end[i] = at + row.spans[5 * i + 1];
        row.label[i] = row.spans[5 * i + 2];
        row.count[i] = row.spans[5 * i + 3];
        row.cover[i] = row.spans[5 * i + 4];
      }
      if (last >= 0 && row.thread !== last) y += gap;
      last = row.thread;
      row.y = y;
      y += row_height;
    }
    lanes.height = y;
    lanes.unpacked = true;
    return lanes;
  }

  const width = () => plot.clientWidth;
  const x_of = (ns) => left + ((ns - from) / (to - from)) * (width() - left);
  const ns_of = (x) => from + ((x - left) / (width() - left)) * (to - from);

  // The first span that ends after ns.
  function first_after(row, ns) {
    let low = 0, high = row.n;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (row.end[middle] <= ns) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink"), soft = style.getPropertyValue("--soft"), line = style.getPropertyValue("--line"), page = style.getPropertyValue("--page");
    const ratio = window.devicePixelRatio || 1;
    canvas.width = width() * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = page;
    pen.fillRect(0, 0, width(), height);
    pen.font = '11.5px system-ui, "DejaVu Sans", sans-serif';
    const bottom = view.height;
    for (const value of ticks(from, to, Math.max(3, width() / 160)).list) {
      const x = x_of(value);
      pen.fillStyle = line;
      pen.fillRect(x, 0, 1, bottom + 5);
      pen.fillStyle = soft;
      pen.fillText(value === 0 ? "0" : duration(value / 1e6), Math.min(x + 3, width() - 52), bottom + 18);
    }
    let named = -1;
    for (const row of view.rows) {
      if (row.thread !== named) {
        named = row.thread;
        pen.fillStyle = ink;
        pen.fillText(data.thread_times[row.thread]?.name ?? "", 0, row.y + 12, left - 8);
      }
      pen.save();
      pen.beginPath();
      pen.rect(left, row.y, width() - left, row_height);
      pen.clip();
      let drawn = -1;  // to this pixel; what is thinner and lies before it cannot be seen
      for (let i = first_after(row, from); i < row.n && row.begin[i] < to; ++i) {
        const x = x_of(row.begin[i]), w = Math.max(x_of(row.end[i]) - x, 0.6);
        if (x + w < drawn + 0.5) continue;
        drawn = x + w;
        const [name, , kind] = data.labels[row.label[i]];
        const fill = colour_of(name, kind);
        pen.globalAlpha = row.count[i] > 1 ? 0.25 + 0.006 * row.cover[i] : kind === "share" ? 0.8 : 1;
        pen.fillStyle = fill;
        pen.fillRect(x, row.y, w > 3 ? w - 0.5 : w, row_height - 1);
        pen.globalAlpha = 1;
        if (w > 40) {
          pen.fillStyle = ["#0072b2", "#d55e00", "#009e73"].includes(fill) && row.count[i] === 1 ? "#ffffff" : "#10151a";
          const start = Math.max(x, left) + 3;
          const text = row.count[i] > 1 ? `${row.count[i]} × ${name}` : name;
          if (pen.measureText(text).width < x + w - start) pen.fillText(text, start, row.y + 12);
        }
      }
      pen.restore();
    }
  }

  function zoom(factor, about) {
    const centre = about ?? (from + to) / 2;
    const span = Math.min(view.ns, Math.max(50, (to - from) * factor));
    from = Math.max(0, Math.min(view.ns - span, centre - ((centre - from) / (to - from)) * span));
    to = from + span;
    draw();
  }

  function choose(i) {
    view = unpack(data.lanes[i]);
    [from, to] = [0, Math.max(1, view.ns)];
    height = view.height + axis;
    draw();
  }

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, ns_of(event.offsetX));
  }, { passive: false });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) {
      const shift = (-event.movementX / (width() - left)) * (to - from);
      const span = to - from;
      from = Math.max(0, Math.min(view.ns - span, from + shift));
      to = from + span;
      draw();
      return;
    }
    const ns = ns_of(event.offsetX);
    const row = view.rows.find((r) => event.offsetY >= r.y && event.offsetY < r.y + row_height);
    const i = row && event.offsetX >= left ? first_after(row, ns) : -1;
    if (i < 0 || i >= row.n || row.begin[i] > ns) return hide_tip();
    const [name, detail] = data.labels[row.label[i]];
    const length = duration((row.end[i] - row.begin[i]) / 1e6);
    show_tip(event, row.count[i] > 1 ? `${count(row.count[i])} intervals in ${length}, ${row.cover[i]} % covered\nmost of it: ${name} (${detail})`
      : `${name}\n${detail}\n${length}, from ${duration(row.begin[i] / 1e6)} on`);
  });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointerleave", hide_tip);
  choice($("#lanes .choice"), data.lanes.map((lanes) => lanes.title), choose);
  $("#lanes .in").addEventListener("click", () => zoom(0.5));
  $("#lanes .out").addEventListener("click", () => zoom(2));
  $("#lanes .reset").addEventListener("click", () => zoom(1e9));
  let first = true;
  return () => {
    if (first) choose(0);
    else draw();
    first = false;
  };
}
