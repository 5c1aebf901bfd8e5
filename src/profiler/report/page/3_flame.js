// The flame graph of one thread, from the top down: a frame's width is its time, inner zones below it.

function draw_flame() {
  const plot = $("#flame .plot");
  const height = 20;
  let thread = data.calls[0];
  let top = thread;
  const kind_of = (node) => (node.name === "(idle)" ? "idle" : node.name.startsWith("(") ? "wait" : / \((cold|warm)\)$/.test(node.name) ? "pass" : "op");
  const plain_name = (node) => node.name.replace(/ \[[a-z]+\]$/, "");

  function path_to(node, from, path) {
    if (from === node) return path.concat(from);
    for (const child of from.children ?? []) {
      const found = path_to(node, child, path.concat(from));
      if (found) return found;
    }
    return null;
  }

  function draw() {
    if (!thread) return;
    const width = plot.clientWidth;
    const svg = element("svg", { viewBox: `0 0 ${width} 10`, role: "img", "aria-label": "flame graph" });
    let deepest = 0;
    const frame = (node, x, w, depth, outer) => {
      if (w < 0.4) return;
      deepest = Math.max(deepest, depth);
      const fill = depth === 0 ? plain.zone : colour_of(plain_name(node), kind_of(node));
      const share = thread.inclusive_ms > 0 ? node.inclusive_ms / thread.inclusive_ms : 0;
      svg.append(element("rect", { class: "frame", x, y: depth * height, width: w, height: height - 1, fill,
        onclick: () => { top = outer ? node : top; draw(); },
        ...with_tip(() => `${node.name}\n${duration(node.inclusive_ms)} inside, ${duration(node.exclusive_ms)} of its own\n` +
          `${percent(share)} % of ${thread.name}, ${count(node.calls)} calls, ${duration(node.inclusive_ms / Math.max(1, node.calls))} each` +
          (node.heap_allocations ? `\n${count(node.heap_allocations)} heap allocations` : "")) }));
      if (w > 34) {
        const letters = Math.floor((w - 8) / 6.6);
        const text = node.name.length > letters ? `${node.name.slice(0, letters - 1)}…` : node.name;
        const dark = ["#0072b2", "#d55e00", "#009e73"].includes(fill);
        const inside = element("text", { class: "inside", x: x + 4, y: depth * height + 14, text });
        if (dark) inside.style.fill = "#ffffff";
        svg.append(inside);
      }
      let at = x;
      for (const child of node.children ?? []) {
        const part = node.inclusive_ms > 0 ? (w * child.inclusive_ms) / node.inclusive_ms : 0;
        frame(child, at, part, depth + 1, true);
        at += part;
      }
    };
    const path = path_to(top, thread, []) ?? [thread];
    path.slice(0, -1).forEach((node, depth) => {
      svg.append(element("rect", { class: "frame", x: 0, y: depth * height, width, height: height - 1, fill: plain.idle,
        onclick: () => { top = node; draw(); }, ...with_tip(() => `${node.name}\n${duration(node.inclusive_ms)}`) }),
        element("text", { class: "inside", x: 4, y: depth * height + 14, text: node.name }));
    });
    frame(top, 0, width, path.length - 1, true);
    deepest = Math.max(deepest, path.length - 1);
    svg.setAttribute("viewBox", `0 0 ${width} ${(deepest + 1) * height + 22}`);
    const y = (deepest + 1) * height;
    const axis = ticks(0, top.inclusive_ms, 8);
    for (const value of axis.list) {
      const x = top.inclusive_ms > 0 ? (width * value) / top.inclusive_ms : 0;
      svg.append(element("line", { class: "grid", x1: x, x2: x, y1: y, y2: y + 4 }),
        element("text", { class: "soft", x: x + 3, y: y + 16, text: value === 0 ? "0" : duration(value) }));
    }
    plot.replaceChildren(svg);
    hide_tip();
  }
  choice($("#flame .choice"), data.calls.map((root) => root.name), (i) => { thread = top = data.calls[i]; draw(); });
  $("#flame .reset").addEventListener("click", () => { top = thread; draw(); });
  return draw;
}
