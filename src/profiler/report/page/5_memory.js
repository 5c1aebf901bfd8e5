// Memory by category over time, stacked.

function draw_memory() {
  const plot = $("#memory .plot");
  const { categories, timeline, peak_bytes, peak_at_ms, heap_allocations, heap_bytes, arena_bytes } = data.memory;
  $("#memory .note").textContent = `In zones: ${count(heap_allocations)} heap allocations (${bytes(heap_bytes)}), ${bytes(arena_bytes)} handed out by arenas.` +
    (categories.length ? ` Peak of all categories: ${bytes(peak_bytes)} after ${duration(peak_at_ms)}.` : " The recording holds no samples by category.");
  return () => {
    if (categories.length === 0) return;
    const [width, height, left, right, head, foot] = [plot.clientWidth, 300, 78, 20, 34, 40];
    const end = Math.max(1000 * data.wall_seconds, ...timeline.times_ms);
    const unit = 1024 ** Math.max(0, Math.floor(Math.log2(Math.max(1, peak_bytes)) / 10));
    const x = (ms) => left + (ms / end) * (width - left - right);
    const y = (value) => height - foot - (value / (peak_bytes * 1.08)) * (height - foot - head);
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "memory over time" });
    for (const value of ticks(0, (peak_bytes * 1.05) / unit, 5).list)
      svg.append(element("line", { class: "grid", x1: left, x2: width - right, y1: y(value * unit), y2: y(value * unit) }),
        element("text", { class: "soft", x: left - 7, y: y(value * unit) + 4, "text-anchor": "end", text: bytes(value * unit) }));
    for (const value of ticks(0, end, 8).list)
      svg.append(element("line", { class: "grid", x1: x(value), x2: x(value), y1: height - foot, y2: height - foot + 5 }),
        element("text", { class: "soft", x: x(value), y: height - foot + 18, "text-anchor": "middle", text: value === 0 ? "0" : duration(value) }));
    svg.append(element("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle", text: "time since the recording began" }));
    const below = timeline.times_ms.map(() => 0);
    categories.forEach((category, c) => {
      const top = below.map((value, i) => value + timeline.bytes[i][c]);
      // Steps: a sample holds until the next one.
      let path = "", back = "";
      timeline.times_ms.forEach((ms, i) => {
        const next = i + 1 < timeline.times_ms.length ? timeline.times_ms[i + 1] : end;
        path += `${i === 0 ? "M" : "L"}${x(ms).toFixed(1)} ${y(top[i]).toFixed(1)}H${x(next).toFixed(1)}`;
        back = `L${x(next).toFixed(1)} ${y(below[i]).toFixed(1)}H${x(ms).toFixed(1)}${back}`;
      });
      svg.append(element("path", { d: `${path}${back}Z`, fill: palette[c % palette.length], "fill-opacity": 0.85,
        ...with_tip(() => `${category.name}\npeak ${bytes(category.peak_bytes)}, at the end ${bytes(category.last_bytes)}`) }));
      top.forEach((value, i) => (below[i] = value));
      const at = left + c * Math.min(190, (width - left - right) / categories.length);
      svg.append(element("rect", { x: at, y: 6, width: 12, height: 12, fill: palette[c % palette.length] }),
        element("text", { x: at + 17, y: 16, text: `${category.name} ${bytes(category.peak_bytes)}` }));
    });
    plot.replaceChildren(svg);
  };
}
