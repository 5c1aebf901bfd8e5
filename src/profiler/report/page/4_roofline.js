// The roofline: GFLOP/s over FLOP per byte, both logarithmic, with the machine's measured roofs.

function draw_roofline() {
  const plot = $("#roofline .plot");
  const points = data.zones.filter((zone) => zone.flops > 0 && zone.bytes > 0 && zone.gflops > 0);
  return () => {
    if (points.length === 0) {
      plot.replaceChildren(element("p", { class: "note", text: "No operation declares both FLOPs and bytes." }));
      return;
    }
    const [width, height, left, right, head, foot] = [plot.clientWidth, 440, 62, 30, 14, 46];
    const roofline = data.roofline ?? { compute: [], bandwidth: [] };
    const intensity = (zone) => zone.flops / zone.bytes;
    const all = Math.max(1, ...roofline.compute.map((roof) => roof.threads));
    const peak = Math.max(...roofline.compute.map((roof) => roof.fma_gflops), ...points.map((zone) => zone.gflops));
    const x_range = [10 ** Math.floor(Math.log10(Math.min(0.05, ...points.map(intensity)))),
      10 ** Math.ceil(Math.log10(Math.max(100, ...points.map(intensity))))];
    const y_range = [10 ** Math.floor(Math.log10(Math.min(1, ...points.map((zone) => zone.gflops)))), peak * 2];
    const scale = (range, from, to) => (value) =>
      from + ((Math.log10(value) - Math.log10(range[0])) / (Math.log10(range[1]) - Math.log10(range[0]))) * (to - from);
    const x = scale(x_range, left, width - right), y = scale(y_range, height - foot, head);
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "roofline plot" });
    const taken = [];  // boxes of labels

    for (let value = x_range[0]; value <= x_range[1] * 1.001; value *= 10)
      svg.append(element("line", { class: "grid", x1: x(value), x2: x(value), y1: head, y2: height - foot }),
        element("text", { class: "soft", x: x(value), y: height - foot + 17, "text-anchor": "middle", text: +value.toPrecision(1) }));
    for (let value = y_range[0]; value <= y_range[1]; value *= 10)
      svg.append(element("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        element("text", { class: "soft", x: left - 7, y: y(value) + 4, "text-anchor": "end", text: +value.toPrecision(1) }));
    svg.append(element("text", { x: (left + width) / 2, y: height - 8, "text-anchor": "middle", text: "arithmetic intensity, FLOP per byte" }),
      element("text", { x: 0, y: 0, "text-anchor": "middle", transform: `translate(14 ${height / 2}) rotate(-90)`, text: "GFLOP/s" }));

    // Puts a text where it meets no other one; tells whether it did.
    function label(text, at_x, at_y, anchor, attributes) {
      const w = 6.7 * text.length;
      const from = anchor === "end" ? at_x - w : at_x;
      const box = [from - 2, at_y - 12, from + w + 2, at_y + 4];
      if (box[0] < left || box[2] > width - 2 || box[1] < 0 || box[3] > height - foot) return false;
      if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) return false;
      taken.push(box);
      svg.append(element("text", { class: "halo", x: at_x, y: at_y, "text-anchor": anchor, text, ...attributes }));
      return true;
    }

    const circles = points.map((zone) => ({ zone, cx: x(intensity(zone)), cy: y(zone.gflops), r: 4 + 16 * Math.sqrt(Math.min(1, zone.wall_share)) }));
    for (const { cx, cy, r } of circles) taken.push([cx - r * 0.7, cy - r * 0.7, cx + r * 0.7, cy + r * 0.7]);
    const roof_labels = [];  // after those of the points
    for (const threads of new Set([all, 1])) {
      const top = roofline.compute.find((roof) => roof.threads === threads)?.fma_gflops;
      if (top === undefined) continue;
      const one = threads === 1 && all > 1 ? " one" : "";
      const bandwidths = roofline.bandwidth.filter((roof) => roof.threads === threads);
      const fastest = Math.max(...bandwidths.map((roof) => roof.read_gbps));
      svg.append(element("path", { class: `roof${one}`, d: `M${x(Math.max(x_range[0], top / fastest))} ${y(top)}H${width - right}` }));
      roof_labels.push(() => label(`multiply-add, ${threads} thread${threads > 1 ? "s" : ""}: ${digits(top)} GFLOP/s`, width - right - 4, y(top) - 6, "end", { class: "soft halo" }) ||
        label(`${threads} thread${threads > 1 ? "s" : ""}: ${digits(top)} GFLOP/s`, width - right - 4, y(top) + 15, "end", { class: "soft halo" }));
      for (const roof of bandwidths) {
        const start = Math.max(x_range[0], y_range[0] / roof.read_gbps), end = Math.min(x_range[1], top / roof.read_gbps);
        svg.append(element("path", { class: `roof${one}`, d: `M${x(start)} ${y(start * roof.read_gbps)}L${x(end)} ${y(end * roof.read_gbps)}` }));
        if (one) continue;
        // Along the line, the first place that is free.
        roof_labels.push(() => {
          for (let along = start * 1.15; along < end; along *= 1.3)
            if (label(`${roof.level} ${digits(roof.read_gbps)} GB/s`, x(along) - 6, y(along * roof.read_gbps) - 4, "end", { class: "soft halo" })) return;
        });
      }
    }
    for (const { zone, cx, cy, r } of circles)
      svg.append(element("circle", { cx, cy, r, fill: colour_of(zone.name, "op"), "fill-opacity": 0.85, stroke: "var(--ink)", "stroke-width": 0.7,
        ...with_tip(() => `${zone_label(zone)} ${zone.phase}\n${digits(zone.gflops)} GFLOP/s, ${digits(zone.gbps)} GB/s, ${digits(intensity(zone))} FLOP per byte\n` +
          `${percent(zone.wall_share)} % of the wall time` + (zone.roofline_share === null ? "" :
          `\n${percent(zone.roofline_share)} % of the roof: ${zone.roofline_bound}, ${zone.roofline_threads} thread${zone.roofline_threads > 1 ? "s" : ""}` +
          (zone.footprint_bytes === null ? "" : `\n${bytes(zone.footprint_bytes)} touched between two executions`))) }));
    for (const { zone, cx, cy, r } of circles.slice().sort((a, b) => b.zone.wall_share - a.zone.wall_share).slice(0, 24)) {
      const text = `${zone_label(zone)}${zone.phase ? ` (${zone.phase})` : ""}`;
      for (const [dx, dy, anchor] of [[r + 4, 4, "start"], [-r - 4, 4, "end"], [2, r + 13, "start"], [2, -r - 5, "start"], [-2, r + 13, "end"], [-2, -r - 5, "end"]])
        if (label(text, cx + dx, cy + dy, anchor, {})) break;
    }
    for (const draw of roof_labels) draw();
    plot.replaceChildren(svg);
  };
}
