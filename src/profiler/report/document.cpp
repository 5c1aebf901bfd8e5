// The sections of the report for people: summary, findings, hot paths, phases, layers, allocations, calls,
// threads and memory.
#include "profiler/report/document.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/report.h"

namespace smallmind {
namespace {

std::string ms(double seconds) {
  const double value = 1e3 * seconds;
  return value < 10 ? fmt::format("{:.3f}", value) : fmt::format("{:.1f}", value);
}

std::string us(double seconds) {
  const double value = 1e6 * seconds;
  return value < 10 ? fmt::format("{:.2f}", value) : fmt::format("{:.1f}", value);
}

std::string percent(double share) {
  return fmt::format("{:.1f}", 100 * share);
}

std::string rate(double value) {
  return value > 0 ? fmt::format("{:.1f}", value) : "-";
}

std::string bytes(double count) {
  if (count <= 0) return "-";
  return count < 1024 ? fmt::format("{:.0f} B", count) : bytes_text(static_cast<std::int64_t>(count));
}

std::string label(const OpRow& row) {
  std::string text = row.name;
  if (row.layer >= 0) text += fmt::format(" layer {}", row.layer);
  const auto& [a, b, c] = row.shape;
  if (a != 0 || b != 0 || c != 0) {
    text += fmt::format(" {}", a);
    if (b != 0) text += fmt::format("x{}", b);
    if (c != 0) text += fmt::format("x{}", c);
  }
  return text;
}

std::string phase_text(Phase phase) {
  return phase == Phase::none ? "-" : phase_name(phase);
}

std::string roof_share(const RoofUse& roof) {
  return roof.share < 0 ? "-" : percent(roof.share);
}

std::string roof_bound(const RoofUse& roof) {
  if (roof.share < 0) return "-";
  if (roof.bound == RoofBound::compute) return "compute";
  return fmt::format("{} {}", bound_name(roof.bound), stream_name(roof.stream));
}

// The rows that have the most of something.
template <typename Value>
std::vector<const ReportRow*> largest(const ReportTable& table, std::size_t most, Value value) {
  std::vector<const ReportRow*> rows;
  for (const ReportRow& row : table.rows)
    if (value(row) > 0) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const ReportRow* a, const ReportRow* b) { return value(*a) > value(*b); });
  if (rows.size() > most) rows.resize(most);
  return rows;
}

ReportSection summary(const Report& report) {
  ReportSection section{.title = "Profile of " + report.workload, .lines = {}, .columns = {}, .rows = {}};
  section.lines.push_back(fmt::format("{:.3f} s, {} thread{}, {} events, {} dropped{}", report.wall,
                                      report.pool_threads, report.pool_threads == 1 ? "" : "s", report.events,
                                      report.dropped, report.complete ? "" : ", cut short"));
  std::string where;
  for (const char* key : {"cpu", "isa", "build", "version", "commit", "time"})
    for (const auto& [name, value] : report.environment)
      if (name == key && !value.empty()) where += (where.empty() ? "" : ", ") + value;
  if (!where.empty()) section.lines.push_back(where);
  if (report.roofline) {
    const Roofline& roofline = *report.roofline;
    std::string roofs = fmt::format("roofs with {} threads: {:.0f} GFLOP/s", roofline.threads,
                                    roofline.fma_gflops(roofline.threads));
    for (const BandwidthRoof& roof : roofline.bandwidths)
      if (roof.threads == roofline.threads)
        roofs += fmt::format(", {} {:.0f} GB/s", level_name(roof.level), roof.read);
    section.lines.push_back(roofs);
  }
  return section;
}

ReportSection findings(const Report& report) {
  ReportSection section{.title = "Findings", .lines = {}, .columns = {}, .rows = {}};
  constexpr const char* kMarks[] = {"+ ", "  ", "! "};
  for (const Insight& insight : report.insights)
    section.lines.push_back(kMarks[static_cast<int>(insight.level)] + insight.text);
  return section;
}

ReportSection passes(const Report& report) {
  ReportSection section{
      .title = "Measured work",
      .lines = {},
      .columns = {"<work", "cold ms", "warm ms (median)", "MAD ms", "95 % interval ms", "repeats", "items/s"},
      .rows = {}};
  for (const PassGroup& group : report.passes) {
    const Interval interval = group.warm.empty() ? Interval{} : group.interval();
    const bool warm = !group.warm.empty();
    section.rows.push_back({group.name, group.cold ? ms(*group.cold) : "-", warm ? ms(group.centre()) : "-",
                            warm ? ms(group.deviation()) : "-",
                            warm ? fmt::format("{} .. {}", ms(interval.low), ms(interval.high)) : "-",
                            fmt::format("{}", group.warm.size()), rate(group.tokens_per_second())});
  }
  return section;
}

ReportSection hot_exclusive(const ReportTable& table, std::string title, std::size_t most) {
  ReportSection section{.title = std::move(title),
                        .lines = {},
                        .columns = {"<where", "<phase", "calls", "self ms", "% wall", "workers ms", "wait ms",
                                    "GFLOP/s", "GB/s", "% roof", "<bound by", "<touched between"},
                        .rows = {}};
  const auto rows =
      largest(table, most, [](const ReportRow& row) { return row.op.exclusive + row.op.share; });
  for (const ReportRow* row : rows) {
    const OpRow& op = row->op;
    section.rows.push_back({label(op), phase_text(op.phase), fmt::format("{}", op.calls), ms(op.exclusive),
                            percent(row->wall_share), ms(op.share), ms(op.wait), rate(op.gflops()),
                            rate(op.gbps()), roof_share(row->roof), roof_bound(row->roof),
                            bytes(static_cast<double>(row->roof.footprint))});
  }
  if (!table.threads.empty()) {
    const ThreadRow& caller = table.threads.front();
    section.lines.push_back(
        fmt::format("wall {} ms; of {}'s time {} ms are in zones, {} ms wait for other threads, {} ms "
                    "lie in no zone",
                    ms(table.wall), caller.name, ms(caller.busy), ms(caller.wait), ms(caller.outside)));
  }
  return section;
}

ReportSection hot_inclusive(const ReportTable& table, std::size_t most) {
  ReportSection section{.title = "Hot paths by inclusive time",
                        .lines = {},
                        .columns = {"<where", "<phase", "calls", "total ms", "% wall", "mean us", "min us",
                                    "p50 us", "p95 us", "max us"},
                        .rows = {}};
  for (const ReportRow* row : largest(table, most, [](const ReportRow& r) { return r.op.inclusive; })) {
    const OpRow& op = row->op;
    section.rows.push_back({label(op), phase_text(op.phase), fmt::format("{}", op.calls), ms(op.inclusive),
                            percent(table.wall > 0 ? op.inclusive / table.wall : 0), us(op.mean),
                            us(op.least), us(op.p50), us(op.p95), us(op.most)});
  }
  return section;
}

ReportSection sums(const std::vector<SumRow>& rows, bool layers, std::size_t most) {
  ReportSection section{
      .title = layers ? "Layers" : "Phases",
      .lines = {},
      .columns = {"<phase", "calls", "self ms", "% wall", "GFLOP", "GB", "heap allocations"},
      .rows = {}};
  section.columns.insert(layers ? section.columns.begin() + 1 : section.columns.begin() + 3,
                         layers ? "layer" : "wait ms");
  for (const SumRow& row : rows) {
    if (section.rows.size() == most) break;
    std::vector<std::string> cells = {phase_text(row.phase),
                                      fmt::format("{}", row.calls),
                                      ms(row.exclusive),
                                      percent(row.wall_share),
                                      rate(1e-9 * row.flops),
                                      rate(1e-9 * row.bytes),
                                      fmt::format("{}", row.heap_allocations)};
    cells.insert(layers ? cells.begin() + 1 : cells.begin() + 3,
                 layers ? fmt::format("{}", row.layer) : ms(row.caller_wait));
    section.rows.push_back(std::move(cells));
  }
  return section;
}

ReportSection allocators(const ReportTable& table, std::size_t most) {
  ReportSection section{
      .title = "Top allocators",
      .lines = {},
      .columns = {"<where", "<phase", "heap allocations", "heap", "heap per call", "arenas (inclusive)"},
      .rows = {}};
  const auto rows = largest(table, most, [](const ReportRow& row) {
    return static_cast<double>(row.op.heap_bytes) + 1e-6 * static_cast<double>(row.op.arena_bytes);
  });
  for (const ReportRow* row : rows) {
    const OpRow& op = row->op;
    const double calls = static_cast<double>(std::max<std::int64_t>(op.calls, 1));
    section.rows.push_back({label(op), phase_text(op.phase), fmt::format("{}", op.heap_allocations),
                            bytes(static_cast<double>(op.heap_bytes)),
                            bytes(static_cast<double>(op.heap_bytes) / calls),
                            bytes(static_cast<double>(op.arena_bytes))});
  }
  return section;
}

// Tokens of the warm passes of a phase; 0 where none were counted.
double tokens_of(const Report& report, Phase phase) {
  double tokens = 0;
  for (const PassGroup& group : report.passes)
    if (group.phase == phase) tokens += group.warm_tokens();
  return tokens;
}

ReportSection most_called(const Report& report, std::size_t most) {
  ReportSection section{.title = "Most called",
                        .lines = {},
                        .columns = {"<where", "<phase", "calls", "calls per token", "mean us", "self ms"},
                        .rows = {}};
  for (const ReportRow* row :
       largest(report.main, most, [](const ReportRow& r) { return static_cast<double>(r.op.calls); })) {
    const OpRow& op = row->op;
    const double tokens = tokens_of(report, op.phase);
    section.rows.push_back({label(op), phase_text(op.phase), fmt::format("{}", op.calls),
                            tokens > 0 ? fmt::format("{:.2f}", static_cast<double>(op.calls) / tokens) : "-",
                            us(op.mean), ms(op.exclusive)});
  }
  return section;
}

void add_calls(const CallTree& tree, std::size_t place, Phase outer, int depth, double whole,
               ReportSection& section) {
  const CallNode& node = tree.nodes[place];
  const double total = tree.seconds(node.inclusive);
  if (total < 0.002 * whole || depth > 12) return;
  section.rows.push_back({std::string(2 * static_cast<std::size_t>(depth), ' ') + call_label(node, outer),
                          fmt::format("{}", node.calls), ms(total), ms(tree.seconds(node.exclusive)),
                          percent(whole > 0 ? total / whole : 0)});
  const Phase phase = node.phase == Phase::none ? outer : node.phase;
  for (const std::size_t child : node.children) add_calls(tree, child, phase, depth + 1, whole, section);
}

ReportSection hierarchy(const Report& report) {
  ReportSection section{
      .title = "Call hierarchy",
      .lines = {"the whole recording; what took less than 0.2 % of a thread's time is left out"},
      .columns = {"<who", "calls", "total ms", "self ms", "% of thread"},
      .rows = {}};
  for (const std::size_t root : report.calls.roots)
    add_calls(report.calls, root, Phase::none, 0, report.calls.seconds(report.calls.nodes[root].inclusive),
              section);
  return section;
}

ReportSection threads(const ReportTable& table) {
  ReportSection section{.title = "Threads",
                        .lines = {},
                        .columns = {"<thread", "present ms", "busy ms", "wait ms", "idle ms", "outside ms",
                                    "CPU ms (whole recording)", "events", "dropped"},
                        .rows = {}};
  for (const ThreadRow& row : table.threads)
    section.rows.push_back({row.name, ms(row.present), ms(row.busy), ms(row.wait), ms(row.idle),
                            ms(row.outside), ms(row.cpu), fmt::format("{}", row.events),
                            fmt::format("{}", row.dropped)});
  return section;
}

ReportSection memory(const MemoryReport& report) {
  ReportSection section{.title = "Memory", .lines = {}, .columns = {}, .rows = {}};
  section.lines.push_back(fmt::format("heap, in zones: {} allocations, {}; arenas handed out {}",
                                      report.heap_allocations, bytes(static_cast<double>(report.heap_bytes)),
                                      bytes(static_cast<double>(report.arena_bytes))));
  if (report.categories.empty()) return section;
  section.lines.push_back(fmt::format("peak of all categories {} after {:.3f} s",
                                      bytes(static_cast<double>(report.peak)), report.peak_at));
  section.columns = {"<category", "peak", "at the end"};
  for (const MemoryCategoryRow& row : report.categories)
    section.rows.push_back(
        {row.name, bytes(static_cast<double>(row.peak)), bytes(static_cast<double>(row.last))});
  return section;
}

}  // namespace

std::vector<ReportSection> report_sections(const Report& report, const ReportOptions& options) {
  const std::size_t top = options.top, few = std::max<std::size_t>(top / 2, 1);
  std::vector<ReportSection> sections = {summary(report)};
  const auto add = [&](ReportSection section) {
    if (!section.rows.empty() || !section.lines.empty()) sections.push_back(std::move(section));
  };
  const char* part = report.main.part == "warm" ? ", warm passes" : "";
  add(findings(report));
  add(passes(report));
  add(hot_exclusive(report.main, fmt::format("Hot paths by exclusive time{}", part), top));
  add(hot_inclusive(report.main, top));
  if (report.cold) add(hot_exclusive(*report.cold, "Cold passes by exclusive time", few));
  add(sums(report.phases, false, top));
  add(sums(report.layers, true, 4 * top));
  add(allocators(report.main, few));
  add(most_called(report, few));
  add(hierarchy(report));
  add(threads(report.main));
  add(memory(report.memory));
  return sections;
}

}  // namespace smallmind
