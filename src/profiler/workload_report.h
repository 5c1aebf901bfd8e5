// A run of a workload as data: recorded, as JSON, as tables, and read back.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "machine/roofline.h"
#include "profiler/workload.h"

namespace smallmind {

struct WorkloadReport {
  std::string name, what;
  int threads = 1;
  std::uint64_t seed = 1;
  double seconds = 0;         // wall time of the whole run
  double foreign_share = 0;   // CPU time that others took meanwhile, of all CPUs
  bool disturbed = false;     // that was more than 3 %
  bool stopped = false;       // before its last part
  std::uint64_t dropped = 0;  // events that the recording lost
  std::vector<PartResult> parts;
};

// Work that makes parts: a Workload's run, or any other.
using WorkloadBody = std::function<void(WorkloadRun&)>;

// Runs the body under a recorder that writes `recording`, with the report as its section "workload".
// roofline: of the machine with as many threads as the pool has, or null. Throws as Recorder does, and what
// the body throws.
WorkloadReport record_workload(std::string_view name, std::string_view what, const WorkloadBody& body,
                               ThreadPool& pool, const WorkloadOptions& options,
                               const std::filesystem::path& recording, std::string_view environment_json,
                               const Roofline* roofline);

// The section "workload": {name, what, threads, seed, seconds, foreign_share, disturbed, stopped, parts:
// [{part, mode, unit, cold, median, mad, low, high, repeats, best_then, ratio, item, items, heap_allocations,
// heap_bytes, arena_bytes, first_token_cold_ms, ...}]}. What is not known is absent.
std::string workload_json(const WorkloadReport& report);
// Throws Error{bad_input} naming file and key.
WorkloadReport parse_workload(std::string_view json, std::string_view file);

// Parts as a table: what was measured, the earlier program's best and the ratio. For a terminal, or as
// Markdown.
std::string workload_text(const WorkloadReport& report);
std::string workload_markdown(const WorkloadReport& report);

}  // namespace smallmind
