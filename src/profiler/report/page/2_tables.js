// Summary, findings and tables.

// columns: {title, text(row), left, value(row) to sort by, share(row) for a bar}. Sorted by a click on a heading.
function table(node, columns, rows, sorted = -1) {
  let up = false;
  const draw = () => {
    if (sorted >= 0) {
      const key = columns[sorted].value ?? columns[sorted].text;
      rows.sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        const order = typeof x === "string" ? x.localeCompare(y) : (y ?? -1) - (x ?? -1);
        return up ? -order : order;
      });
    }
    const head = element("tr");
    columns.forEach((column, i) => {
      const classes = [column.left && "left", sorted >= -1 && "sortable", i === sorted && "sorted", i === sorted && up && "up"];
      head.append(element("th", { text: column.title, class: classes.filter(Boolean).join(" "), scope: "col",
        onclick: () => {
          up = sorted === i ? !up : false;
          sorted = i;
          draw();
        } }));
    });
    const body = element("tbody");
    for (const row of rows) {
      const line = element("tr");
      for (const column of columns) {
        const cell = element("td", { text: column.text(row), class: column.left ? "left" : null });
        if (column.share && column.share(row) > 0) {
          cell.classList.add("bar");
          cell.style.setProperty("--share", `${Math.min(100, 100 * column.share(row))}%`);
        }
        line.append(cell);
      }
      body.append(line);
    }
    node.replaceChildren(element("thead", {}, head), body);
  };
  draw();
}

function zone_label(zone) {
  let text = zone.name;
  if (zone.layer !== undefined) text += ` layer ${zone.layer}`;
  if (zone.shape) text += ` ${zone.shape.filter((x) => x !== 0).join("x")}`;
  return text;
}

function draw_summary() {
  document.title = `Profile of ${data.workload}`;
  $("#title").textContent = document.title;
  const environment = data.environment;
  $("#subtitle").textContent = [environment.cpu, environment.isa, environment.version && `version ${environment.version}`,
    environment.commit, environment.time, data.complete ? "" : "cut short"].filter(Boolean).join(" · ");
  const card = (value, what) => $("#cards").append(element("div", { class: "card" }, element("b", { text: value }), element("span", { text: what })));
  card(duration(1000 * data.wall_seconds), "wall time");
  for (const pass of data.passes.filter((work) => work.phase).slice(0, 4))
    if (pass.tokens_per_second > 0) card(`${digits(pass.tokens_per_second)} tok/s`, `${pass.name}, warm median`);
  card(data.threads, data.threads === 1 ? "thread" : "threads");
  card(count(data.events), `events, ${count(data.dropped)} dropped`);
  if (data.memory.peak_bytes > 0) card(bytes(data.memory.peak_bytes), "memory at its peak");
  card(count(data.memory.heap_allocations), `heap allocations, ${bytes(data.memory.heap_bytes)}`);
  const words = { warning: "Warning", good: "Good", note: "Note" };
  for (const { level, text } of data.insights)
    $("#findings ul").append(element("li", { class: level }, element("b", { text: words[level] }), text));
}

function draw_tables() {
  const ms = (key) => ({ text: (row) => digits(row[key]), value: (row) => row[key] });
  const number = (key) => ({ text: (row) => count(row[key]), value: (row) => row[key] });
  const rate = (key) => ({ text: (row) => (row[key] > 0 ? digits(row[key]) : "-"), value: (row) => row[key] });
  const share = (key) => ({ text: (row) => percent(row[key]), value: (row) => row[key], share: (row) => row[key] });
  const phase = { title: "phase", left: true, text: (row) => row.phase || "-" };
  const operations = [
    { title: "operation", left: true, text: zone_label },
    phase,
    { title: "calls", ...number("calls") },
    { title: "self ms", ...ms("exclusive_ms") },
    { title: "% wall", ...share("wall_share") },
    { title: "total ms", ...ms("inclusive_ms") },
    { title: "workers ms", ...rate("workers_ms") },
    { title: "wait ms", ...rate("wait_ms") },
    { title: "p50 µs", ...ms("p50_us") },
    { title: "p95 µs", ...ms("p95_us") },
    { title: "max µs", ...ms("max_us") },
    { title: "GFLOP/s", ...rate("gflops") },
    { title: "GB/s", ...rate("gbps") },
    { title: "% roof", ...share("roofline_share") },
    { title: "bound by", left: true, text: (row) => (row.roofline_bound === null ? "-" : row.roofline_bound === "compute" ? "compute" : `${row.roofline_bound} ${row.roofline_stream}`) },
    { title: "heap", ...number("heap_allocations") },
  ];
  const draw = (rows) => table($("#operations table"), operations, rows.slice(), 3);
  draw(data.zones);
  if (data.cold_zones.length > 0)
    choice($("#operations .choice"), ["Warm passes", "Cold passes"], (i) => draw(i === 0 ? data.zones : data.cold_zones));

  if (data.passes.length > 0)
    table($("#work table"), [
      { title: "work", left: true, text: (row) => row.name },
      { title: "phase", left: true, text: (row) => row.phase || "-" },
      { title: "cold ms", ...ms("cold_ms") },
      { title: "warm ms (median)", ...ms("median_ms") },
      { title: "MAD ms", ...ms("mad_ms") },
      { title: "95 % interval ms", text: (row) => (row.warm_ms.length ? `${digits(row.interval_ms[0])} … ${digits(row.interval_ms[1])}` : "-") },
      { title: "repeats", text: (row) => row.warm_ms.length, value: (row) => row.warm_ms.length },
      { title: "items/s", ...rate("tokens_per_second") },
    ], data.passes.slice(), -2);
  else $("#work").remove();

  const sums = [{ title: "calls", ...number("calls") }, { title: "self ms", ...ms("exclusive_ms") }, { title: "% wall", ...share("wall_share") }];
  table($("#phases table"), [phase, ...sums, { title: "wait ms", ...rate("wait_ms") },
    { title: "GFLOP", text: (row) => digits(row.flops / 1e9), value: (row) => row.flops },
    { title: "GB", text: (row) => digits(row.bytes / 1e9), value: (row) => row.bytes },
    { title: "heap", ...number("heap_allocations") }], data.phases.slice(), 2);
  if (data.layers.length > 0)
    table($("#layers table"), [phase, { title: "layer", text: (row) => row.layer, value: (row) => -row.layer }, ...sums], data.layers.slice(), -1);
  else $("#layers").remove();

  table($("#lanes table"), [{ title: "thread", left: true, text: (row) => row.name },
    ...["present", "busy", "wait", "idle", "outside", "cpu"].map((what) => ({
      title: what === "cpu" ? "CPU ms (whole recording)" : `${what} ms`, ...ms(`${what}_ms`) })),
    { title: "events", ...number("events") }, { title: "dropped", ...number("dropped") }], data.thread_times.slice(), -1);

  const facts = Object.entries(data.environment).map(([key, value]) => ({ key, value }));
  for (const [key, value] of Object.entries(data.workload_details))
    if (typeof value !== "object") facts.push({ key: `workload: ${key}`, value });
  table($("#environment table"), [{ title: "what", left: true, text: (row) => row.key },
    { title: "value", left: true, text: (row) => (typeof row.value === "object" ? JSON.stringify(row.value) : String(row.value)) }], facts, -2);
}
