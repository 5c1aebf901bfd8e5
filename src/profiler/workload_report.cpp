// Recording a workload, and its report as JSON; see workload_report.h. The tables are workload_tables.cpp's.
#include "profiler/workload_report.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "profiler/kernel_bench/sampler.h"
#include "profiler/recorder.h"
#include "profiler/report/roof.h"

namespace smallmind {
namespace {

using nlohmann::ordered_json;

ordered_json part_json(const PartResult& p) {
  ordered_json object = {{"part", p.part},
                         {"mode", p.mode},
                         {"unit", p.unit},
                         {"less_is_better", p.is_time},
                         {"cold", p.cold},
                         {"median", p.median},
                         {"mad", p.deviation},
                         {"low", p.interval.low},
                         {"high", p.interval.high},
                         {"repeats", p.repeats},
                         {"item", p.item},
                         {"items", p.items},
                         {"arena_bytes", p.arena_bytes}};
  if (p.heap_allocations) object["heap_allocations"] = *p.heap_allocations;
  if (p.heap_bytes) object["heap_bytes"] = *p.heap_bytes;
  if (p.heap_bytes_then > 0) object["heap_bytes_then"] = p.heap_bytes_then;
  if (p.best_then > 0) {
    object["best_then"] = p.best_then;
    object["ratio"] = p.ratio();
  }
  if (p.latency) {
    object["first_token_cold_ms"] = p.latency->first_cold;
    object["first_token_ms"] = p.latency->first;
    object["token_p50_ms"] = p.latency->p50;
    object["token_p95_ms"] = p.latency->p95;
    if (p.latency->best_then > 0) object["first_token_then_ms"] = p.latency->best_then;
  }
  return object;
}

PartResult parse_part(const nlohmann::json& object, std::string_view file) {
  const auto number = [&](const char* key) { return json_number(object, key, file); };
  PartResult p;
  p.part = json_string(object, "part", file);
  p.mode = json_string(object, "mode", file);
  p.unit = json_string(object, "unit", file);
  p.is_time = json_bool(object, "less_is_better", file);
  p.cold = number("cold");
  p.median = number("median");
  p.deviation = number("mad");
  p.interval = {number("low"), number("high")};
  p.repeats = static_cast<int>(json_int(object, "repeats", file));
  p.item = json_string(object, "item", file);
  p.items = number("items");
  p.arena_bytes = number("arena_bytes");
  p.heap_allocations = find_json_number(object, "heap_allocations", file);
  p.heap_bytes = find_json_number(object, "heap_bytes", file);
  p.heap_bytes_then = find_json_number(object, "heap_bytes_then", file).value_or(0);
  p.best_then = find_json_number(object, "best_then", file).value_or(0);
  if (object.contains("first_token_ms"))
    p.latency = {.first_cold = number("first_token_cold_ms"),
                 .first = number("first_token_ms"),
                 .p50 = number("token_p50_ms"),
                 .p95 = number("token_p95_ms"),
                 .best_then = find_json_number(object, "first_token_then_ms", file).value_or(0)};
  return p;
}

}  // namespace

WorkloadReport record_workload(std::string_view name, std::string_view what, const WorkloadBody& body,
                               ThreadPool& pool, const WorkloadOptions& options,
                               const std::filesystem::path& recording, std::string_view environment_json,
                               const Roofline* roofline) {
  WorkloadReport report;
  report.name = name;
  report.what = what;
  report.threads = pool.size();
  report.seed = options.seed;
  Recorder recorder(recording);
  recorder.section("environment", environment_json);
  if (roofline != nullptr) recorder.section("roofline", roofline_section(*roofline));
  const ForeignCpu foreign;
  const auto begin = std::chrono::steady_clock::now();
  WorkloadRun run(pool, options);
  body(run);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  report.foreign_share = foreign.share();
  report.disturbed = foreign.disturbed();
  report.stopped = run.stopped();
  report.parts = run.parts();
  recorder.section("workload", workload_json(report));
  report.dropped = recorder.stop().dropped;
  return report;
}

std::string workload_json(const WorkloadReport& report) {
  ordered_json object = {{"name", report.name},           {"what", report.what},
                         {"threads", report.threads},     {"seed", report.seed},
                         {"seconds", report.seconds},     {"foreign_share", report.foreign_share},
                         {"disturbed", report.disturbed}, {"stopped", report.stopped}};
  object["parts"] = ordered_json::array();
  for (const PartResult& part : report.parts) object["parts"].push_back(part_json(part));
  return object.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

WorkloadReport parse_workload(std::string_view json, std::string_view file) {
  const nlohmann::json object = parse_json(json, file);
  WorkloadReport report;
  report.name = json_string(object, "name", file);
  report.what = json_string(object, "what", file);
  report.threads = static_cast<int>(json_int(object, "threads", file));
  report.seed = static_cast<std::uint64_t>(json_int(object, "seed", file));
  report.seconds = json_number(object, "seconds", file);
  report.foreign_share = json_number(object, "foreign_share", file);
  report.disturbed = json_bool(object, "disturbed", file);
  report.stopped = json_bool(object, "stopped", file);
  const auto parts = object.find("parts");
  if (parts == object.end() || !parts->is_array())
    fail_input("[workload] a list \"parts\" expected, none found ({})", file);
  for (const nlohmann::json& part : *parts) {
    if (!part.is_object())
      fail_input("[workload] a list of objects expected, another value found ({})", file);
    report.parts.push_back(parse_part(part, file));
  }
  return report;
}

}  // namespace smallmind
