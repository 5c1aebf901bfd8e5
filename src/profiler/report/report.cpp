// See report.h.
#include "profiler/report/report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "profiler/report/memory_timeline.h"

namespace smallmind {
namespace {

using nlohmann::ordered_json;
using Passes = OpTableOptions::Passes;

std::string section(const Recording& recording, const char* name) {
  const auto found = recording.sections().find(name);
  return found == recording.sections().end() ? "{}" : found->second;
}

std::string text_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void read_sections(const Recording& recording, Report& report) {
  const auto object = [&](const char* name) {
    nlohmann::json value = parse_json(section(recording, name), std::string("the recording's ") + name,
                                      {.bytes = 1 << 24, .depth = 32, .values = 1'000'000});
    if (!value.is_object())
      fail_input("[report] an object expected, another value found (the recording's {})", name);
    return value;
  };
  const nlohmann::json environment = object("environment"), workload = object("workload");
  report.environment_json = json_text(environment);
  report.workload_json = json_text(workload);
  for (const auto& [key, value] : environment.items())
    if (!value.is_structured()) report.environment.emplace_back(key, text_of(value));
  const auto name = workload.find("name");
  report.workload = name != workload.end() && name->is_string() ? name->get<std::string>() : "recording";
  if (recording.sections().contains("roofline"))
    report.roofline = parse_roofline_section(section(recording, "roofline"), "the recording's roofline");
}

// The threads, first those that call others, in the order of the recording; then the workers of pools.
struct ThreadOrder {
  std::vector<std::size_t> threads;
  std::size_t workers = 0;

  template <typename T>
  void apply(std::vector<T>& values) const {
    std::vector<T> ordered;
    for (const std::size_t thread : threads) ordered.push_back(std::move(values[thread]));
    values = std::move(ordered);
  }
};

ThreadOrder order_threads(const Recording& recording) {
  ThreadOrder order;
  std::vector<std::size_t> workers;
  for (std::size_t t = 0; t < recording.threads().size(); ++t) {
    bool worker = false;
    EventCursor events = recording.events(t);
    // A worker's first intervals are shares or idle times already.
    for (int i = 0; i < 16 && !worker; ++i) {
      const ZoneEvent* event = events.next();
      if (event == nullptr) break;
      const ZoneKind kind = recording.sites()[event->site].work.kind;
      worker = kind == ZoneKind::share || kind == ZoneKind::idle;
    }
    (worker ? workers : order.threads).push_back(t);
  }
  order.workers = workers.size();
  order.threads.insert(order.threads.end(), workers.begin(), workers.end());
  return order;
}

std::vector<PassGroup> pass_groups(const Recording& recording) {
  std::vector<PassGroup> groups;
  for (const RecordedPass& pass : recording.passes()) {
    auto group = std::find_if(groups.begin(), groups.end(), [&](const PassGroup& g) {
      return g.name == pass.name && g.phase == pass.phase;
    });
    if (group == groups.end()) {
      groups.push_back({pass.name, pass.phase, std::nullopt, {}, pass.tokens});
      group = groups.end() - 1;
    }
    const double seconds = recording.seconds(pass.end - pass.begin);
    if (pass.repeat == 0 && !group->cold)
      group->cold = seconds;
    else if (pass.repeat > 0)
      group->warm.push_back(seconds);
  }
  return groups;
}

// A worker's share knows its zone by name only: shares of a zone that is no op stand in a row of their own.
void join_shares(std::vector<OpRow>& rows) {
  for (OpRow& share : rows) {
    if (share.calls > 0 || share.share == 0) continue;
    for (OpRow& row : rows)
      if (row.calls > 0 && row.name == share.name && row.phase == share.phase && row.layer == share.layer) {
        row.share += share.share;
        row.wait += share.wait;
        share.share = 0;
        break;
      }
  }
  std::erase_if(rows, [](const OpRow& row) { return row.calls == 0 && row.share == 0; });
}

ReportTable make_table(const Recording& recording, const OpTableOptions& options,
                       const std::optional<RoofModel>& roofs, const ThreadOrder& order,
                       const Report& report) {
  OpTable table = make_op_table(recording, options);
  ReportTable result;
  result.part = options.passes == Passes::warm ? "warm" : options.passes == Passes::cold ? "cold" : "all";
  result.threads = std::move(table.threads);
  order.apply(result.threads);
  result.wall = table.wall;
  result.tokens = table.tokens;
  result.passes = table.passes;
  join_shares(table.rows);
  for (OpRow& row : table.rows) {
    if (row.kind != ZoneKind::zone && row.kind != ZoneKind::op) continue;
    ReportRow& out = result.rows.emplace_back();
    if (roofs) out.roof = roofs->use(row, options, report.pool_threads);
    out.wall_share = table.wall > 0 ? row.exclusive / table.wall : 0;
    out.op = std::move(row);
  }
  return result;
}

void add_to(SumRow& sum, const OpRow& row, double wall) {
  sum.calls += row.calls;
  sum.exclusive += row.exclusive;
  sum.wall_share = wall > 0 ? sum.exclusive / wall : 0;
  // Zones that hold others declare no work of their own.
  sum.flops += row.flops;
  sum.bytes += row.bytes;
  sum.heap_allocations += row.heap_allocations;
  sum.heap_bytes += row.heap_bytes;
}

// Waits below a frame by phase, on threads that call others; part: "warm" counts warm passes only.
void add_waits(const CallTree& tree, std::size_t place, Phase phase, bool counted,
               std::map<Phase, double>& waits) {
  const CallNode& node = tree.nodes[place];
  if (node.kind == ZoneKind::pass) counted = !node.cold;
  if (node.phase != Phase::none) phase = node.phase;
  if (node.kind == ZoneKind::share) return;
  if (node.kind == ZoneKind::wait && counted) waits[phase] += tree.seconds(node.inclusive);
  for (const std::size_t child : node.children) add_waits(tree, child, phase, counted, waits);
}

void add_sums(const Recording& recording, const OpTableOptions& options, Report& report) {
  OpTableOptions by_layer = options;
  by_layer.by_layer = true;
  by_layer.by_shape = false;
  const OpTable table = make_op_table(recording, by_layer);
  std::map<Phase, SumRow> phases;
  std::map<std::pair<Phase, int>, SumRow> layers;
  for (const OpRow& row : table.rows) {
    if (row.kind != ZoneKind::zone && row.kind != ZoneKind::op) continue;
    SumRow& phase = phases[row.phase];
    phase.phase = row.phase;
    add_to(phase, row, table.wall);
    if (row.layer < 0) continue;
    SumRow& layer = layers[{row.phase, row.layer}];
    layer.phase = row.phase;
    layer.layer = row.layer;
    add_to(layer, row, table.wall);
  }
  std::map<Phase, double> waits;
  for (const std::size_t root : report.calls.roots)
    add_waits(report.calls, root, Phase::none, options.passes == Passes::all, waits);
  for (const auto& [phase, seconds] : waits) {
    phases[phase].phase = phase;
    phases[phase].caller_wait = seconds;
  }
  for (const auto& [phase, row] : phases) report.phases.push_back(row);
  for (const auto& [key, row] : layers) report.layers.push_back(row);
  std::stable_sort(report.phases.begin(), report.phases.end(), [](const SumRow& a, const SumRow& b) {
    return a.exclusive + a.caller_wait > b.exclusive + b.caller_wait;
  });
}

}  // namespace

Report make_report(const Recording& recording, const ReportOptions& options) {
  Report report;
  read_sections(recording, report);
  report.complete = recording.complete();
  report.wall = recording.wall_seconds();
  report.events = recording.event_count();
  report.dropped = recording.dropped();
  const ThreadOrder order = order_threads(recording);
  report.pool_threads = static_cast<int>(order.workers) + 1;
  report.passes = pass_groups(recording);
  report.calls = make_call_tree(recording);
  order.apply(report.calls.roots);
  report.memory = make_memory_report(recording);

  const bool any_warm = std::any_of(report.passes.begin(), report.passes.end(),
                                    [](const PassGroup& group) { return !group.warm.empty(); });
  const bool any_cold = std::any_of(report.passes.begin(), report.passes.end(),
                                    [](const PassGroup& group) { return group.cold.has_value(); });
  OpTableOptions table{.by_layer = options.by_layer,
                       .by_shape = options.by_shape,
                       .passes = any_warm ? Passes::warm : Passes::all,
                       .pass_name = "",
                       .repeat = std::nullopt};
  std::optional<RoofModel> roofs;
  if (report.roofline) roofs.emplace(recording, *report.roofline);
  report.main = make_table(recording, table, roofs, order, report);
  add_sums(recording, table, report);
  if (any_warm && any_cold) {
    table.passes = Passes::cold;
    report.cold = make_table(recording, table, roofs, order, report);
  }
  if (options.lanes) {
    report.lanes = make_lane_views(recording);
    std::vector<std::uint16_t> place(order.threads.size());
    for (std::size_t i = 0; i < place.size(); ++i) place[order.threads[i]] = static_cast<std::uint16_t>(i);
    for (LaneView& view : report.lanes) {
      for (LaneSpan& span : view.spans) span.thread = place[span.thread];
      std::stable_sort(view.spans.begin(), view.spans.end(),
                       [](const LaneSpan& a, const LaneSpan& b) { return a.thread < b.thread; });
    }
    report.lane_labels = number_labels(recording, report.lanes);
  }
  report.insights = find_insights(report);
  return report;
}

}  // namespace smallmind
