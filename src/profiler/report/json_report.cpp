// The report as JSON (json_report), and with its time lines as the data of the page (report_json).
#include "profiler/report/json_report.h"

#include <fmt/format.h>

#include <map>

#include "base/json.h"
#include "profiler/report/render.h"

namespace smallmind {
namespace {

using nlohmann::ordered_json;

// Six digits: less than a time stamp's error, and a third of the text.
ordered_json number(double value) {
  if (!(value > -1e300 && value < 1e300)) return nullptr;
  return std::stod(fmt::format("{:.6g}", value));
}

ordered_json zone(const ReportRow& row, double wall) {
  const OpRow& op = row.op;
  ordered_json object = {
      {"name", op.name}, {"phase", phase_name(op.phase)}, {"kind", op.kind == ZoneKind::op ? "op" : "zone"}};
  if (op.layer >= 0) object["layer"] = op.layer;
  if (op.shape != decltype(op.shape){}) object["shape"] = op.shape;
  object["calls"] = op.calls;
  object["exclusive_ms"] = number(1e3 * op.exclusive);
  object["inclusive_ms"] = number(1e3 * op.inclusive);
  object["workers_ms"] = number(1e3 * op.share);
  object["wait_ms"] = number(1e3 * op.wait);
  object["wall_share"] = number(row.wall_share);
  object["inclusive_share"] = number(wall > 0 ? op.inclusive / wall : 0);
  object["mean_us"] = number(1e6 * op.mean);
  object["min_us"] = number(1e6 * op.least);
  object["p50_us"] = number(1e6 * op.p50);
  object["p95_us"] = number(1e6 * op.p95);
  object["max_us"] = number(1e6 * op.most);
  object["flops"] = op.flops;
  object["bytes"] = op.bytes;
  object["gflops"] = number(op.gflops());
  object["gbps"] = number(op.gbps());
  object["roofline_share"] = row.roof.share < 0 ? ordered_json() : number(row.roof.share);
  object["roofline_bound"] = row.roof.share < 0 ? ordered_json() : bound_name(row.roof.bound);
  object["roofline_stream"] = stream_name(row.roof.stream);
  object["roofline_threads"] = row.roof.threads;
  object["footprint_bytes"] = row.roof.footprint < 0 ? ordered_json() : ordered_json(row.roof.footprint);
  object["heap_allocations"] = op.heap_allocations;
  object["heap_bytes"] = op.heap_bytes;
  object["arena_bytes"] = op.arena_bytes;
  return object;
}

ordered_json zones(const ReportTable& table) {
  ordered_json list = ordered_json::array();
  for (const ReportRow& row : table.rows) list.push_back(zone(row, table.wall));
  return list;
}

ordered_json threads(const ReportTable& table) {
  ordered_json list = ordered_json::array();
  for (const ThreadRow& row : table.threads)
    list.push_back({{"name", row.name},
                    {"present_ms", number(1e3 * row.present)},
                    {"busy_ms", number(1e3 * row.busy)},
                    {"wait_ms", number(1e3 * row.wait)},
                    {"idle_ms", number(1e3 * row.idle)},
                    {"outside_ms", number(1e3 * row.outside)},
                    {"cpu_ms", number(1e3 * row.cpu)},
                    {"events", row.events},
                    {"dropped", row.dropped}});
  return list;
}

ordered_json passes(const Report& report) {
  ordered_json list = ordered_json::array();
  for (const PassGroup& group : report.passes) {
    ordered_json warm = ordered_json::array();
    for (const double seconds : group.warm) warm.push_back(number(1e3 * seconds));
    const Interval interval = group.warm.empty() ? Interval{} : group.interval();
    list.push_back({{"name", group.name},
                    {"phase", phase_name(group.phase)},
                    {"tokens", group.tokens},
                    {"cold_ms", group.cold ? number(1e3 * *group.cold) : ordered_json()},
                    {"warm_ms", warm},
                    {"median_ms", number(1e3 * group.centre())},
                    {"mad_ms", number(1e3 * group.deviation())},
                    {"interval_ms", {number(1e3 * interval.low), number(1e3 * interval.high)}},
                    {"tokens_per_second", number(group.tokens_per_second())}});
  }
  return list;
}

ordered_json sums(const std::vector<SumRow>& rows, bool layers) {
  ordered_json list = ordered_json::array();
  for (const SumRow& row : rows) {
    ordered_json object = {{"phase", phase_name(row.phase)}};
    if (layers) object["layer"] = row.layer;
    object["calls"] = row.calls;
    object["exclusive_ms"] = number(1e3 * row.exclusive);
    object["wall_share"] = number(row.wall_share);
    if (!layers) object["wait_ms"] = number(1e3 * row.caller_wait);
    object["flops"] = row.flops;
    object["bytes"] = row.bytes;
    object["heap_allocations"] = row.heap_allocations;
    object["heap_bytes"] = row.heap_bytes;
    list.push_back(std::move(object));
  }
  return list;
}

ordered_json calls(const CallTree& tree, std::size_t place, Phase outer) {
  const CallNode& node = tree.nodes[place];
  const Phase phase = node.phase == Phase::none ? outer : node.phase;
  ordered_json object = {{"name", call_label(node, outer)},
                         {"calls", node.calls},
                         {"inclusive_ms", number(1e3 * tree.seconds(node.inclusive))},
                         {"exclusive_ms", number(1e3 * tree.seconds(node.exclusive))}};
  if (node.heap_allocations > 0) object["heap_allocations"] = node.heap_allocations;
  if (node.children.empty()) return object;
  ordered_json children = ordered_json::array();
  for (const std::size_t child : node.children) children.push_back(calls(tree, child, phase));
  object["children"] = std::move(children);
  return object;
}

ordered_json memory(const MemoryReport& report) {
  ordered_json categories = ordered_json::array();
  for (const MemoryCategoryRow& row : report.categories)
    categories.push_back({{"name", row.name}, {"peak_bytes", row.peak}, {"last_bytes", row.last}});
  ordered_json times = ordered_json::array();
  for (const double time : report.times) times.push_back(number(1e3 * time));
  return {{"heap_allocations", report.heap_allocations},
          {"heap_bytes", report.heap_bytes},
          {"arena_bytes", report.arena_bytes},
          {"peak_bytes", report.peak},
          {"peak_at_ms", number(1e3 * report.peak_at)},
          {"categories", categories},
          {"timeline", {{"times_ms", times}, {"bytes", report.bytes}}}};
}

ordered_json insights(const Report& report) {
  constexpr const char* kLevels[] = {"good", "note", "warning"};
  ordered_json list = ordered_json::array();
  for (const Insight& insight : report.insights)
    list.push_back({{"level", kLevels[static_cast<int>(insight.level)]}, {"text", insight.text}});
  return list;
}

}  // namespace

ordered_json report_json(const Report& report) {
  ordered_json object = {{"workload", report.workload},      {"wall_seconds", number(report.wall)},
                         {"threads", report.pool_threads},   {"complete", report.complete},
                         {"events", report.events},          {"dropped", report.dropped},
                         {"part", report.main.part},         {"part_wall_seconds", number(report.main.wall)},
                         {"part_tokens", report.main.tokens}};
  object["passes"] = passes(report);
  object["zones"] = zones(report.main);
  object["cold_zones"] = report.cold ? zones(*report.cold) : ordered_json::array();
  object["phases"] = sums(report.phases, false);
  object["layers"] = sums(report.layers, true);
  object["thread_times"] = threads(report.main);
  object["memory"] = memory(report.memory);
  object["calls"] = ordered_json::array();
  for (const std::size_t root : report.calls.roots)
    object["calls"].push_back(calls(report.calls, root, Phase::none));
  object["insights"] = insights(report);
  object["roofline"] =
      report.roofline ? ordered_json::parse(roofline_section(*report.roofline)) : ordered_json();
  object["workload_details"] = ordered_json::parse(report.workload_json);
  object["environment"] = ordered_json::parse(report.environment_json);
  return object;
}

std::string json_report(const Report& report) {
  return report_json(report).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace smallmind
