// Samples of the warm passes of a recording; see run_samples.h.
#include "profiler/run_samples.h"

#include <algorithm>

#include "profiler/op_table.h"
#include "profiler/statistics.h"

namespace smallmind {
namespace {

// What one operation did in each pass of a kind, before the medians.
struct Series {
  std::vector<double> seconds, calls, wait, flops, bytes, heap_allocations, heap_bytes, arena_bytes;

  void add(const OpRow& row) {
    seconds.push_back(row.exclusive + row.share);
    calls.push_back(static_cast<double>(row.calls));
    wait.push_back(row.wait);
    flops.push_back(row.flops);
    bytes.push_back(row.bytes);
    heap_allocations.push_back(static_cast<double>(row.heap_allocations));
    heap_bytes.push_back(static_cast<double>(row.heap_bytes));
    arena_bytes.push_back(static_cast<double>(row.arena_bytes));
  }
};

OpSamples summarise(const Series& series) {
  return {.seconds = series.seconds,
          .calls = median(series.calls),
          .wait = median(series.wait),
          .flops = median(series.flops),
          .bytes = median(series.bytes),
          .heap_allocations = median(series.heap_allocations),
          .heap_bytes = median(series.heap_bytes),
          .arena_bytes = median(series.arena_bytes)};
}

}  // namespace

RunSamples run_samples(const Recording& recording) {
  RunSamples run;
  run.threads = recording.threads().size();
  if (const auto section = recording.sections().find("environment"); section != recording.sections().end())
    run.environment = section->second;
  std::map<OpKey, Series> series;
  const auto add_table = [&](const std::string& pass, const OpTable& table) {
    for (const OpRow& row : table.rows)
      if (row.kind != ZoneKind::pass) series[{pass, row.name, row.phase}].add(row);
    run.wall[pass].push_back(table.wall);
  };
  const auto& passes = recording.passes();
  const bool repeated =
      std::any_of(passes.begin(), passes.end(), [](const RecordedPass& pass) { return pass.repeat > 0; });
  if (!repeated) {
    add_table("", make_op_table(recording));
  } else {
    for_each_pass(recording, {}, [&](const RecordedPass& pass, const OpTable& table) {
      if (pass.repeat > 0) add_table(pass.name, table);
    });
  }
  for (const auto& [key, values] : series) run.ops.emplace(key, summarise(values));
  return run;
}

}  // namespace smallmind
