// Workloads: fixed pieces of work, measured the same way on every machine and after every change.
//
// A workload is a list of parts ("matmul 512", "small, KV cache"). Each part runs once cold and then warm,
// until there are enough repeats and seconds; its figures are medians of the warm repeats with their
// deviation (MAD) and a confidence interval by order statistics, and the cold pass is reported beside them,
// never mixed in. Every repeat is a zone of kind `pass`, so a recording made meanwhile tells the same parts
// apart.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "profiler/statistics.h"

namespace smallmind {

struct PartResult;

struct WorkloadOptions {
  double seconds = 1.0;   // least time of the warm repeats of one part
  int least_repeats = 5;  // warm ones
  std::uint64_t seed = 1;
  bool heap_is_counted = false;  // does the program count heap allocations (base/thread_counters.h)?
  std::function<bool()> stop{};  // asked between repeats; true ends the workload
  std::function<void(const PartResult&)> on_part{};
};

// Milliseconds from the call to the first token, and from one token to the next.
struct TokenLatency {
  double first_cold = 0, first = 0;  // the very first one, and the median of the warm ones
  double p50 = 0, p95 = 0;           // of the warm tokens after the first
  double best_then = 0;              // the earlier program's best first token; 0: not known
};

struct PartResult {
  std::string part, mode;  // "small", "KV cache"; most parts have one mode, ""
  std::string unit;        // of the figures: "tokens/s", "GFLOP/s", "GB/s"; "ms", "us", "ns" per item
  bool is_time = false;    // less is better
  double cold = 0, median = 0, deviation = 0;  // deviation: MAD
  Interval interval;                           // of the median, 95 %
  int repeats = 0;                             // warm
  double best_then = 0;                        // the earlier program's best, in `unit`; 0: none is known
  std::string item;                            // "token", "call", "step"
  double items = 0;                            // of one warm repeat
  std::optional<double> heap_allocations, heap_bytes;  // per item, warm; absent where nobody counts
  double arena_bytes = 0;                              // per item, warm
  double heap_bytes_then = 0;                          // per item, the earlier program's best; 0: not known
  std::optional<TokenLatency> latency;

  // How many times better than the earlier program's best; 0 where none is known.
  double ratio() const noexcept;
};

// How to run one part, and what it counts.
struct PartSpec {
  const char* name;           // "PART" or "PART, MODE"; a literal: it names the pass in recordings
  const char* unit;           // a rate, or "ms", "us", "ns"
  double amount = 1;          // of the unit's numerator per call: GFLOP, GB, tokens; times: 1
  int calls = 1;              // of one warm repeat; the cold pass makes one
  const char* item = "call";  // what counts are given per
  double items = 1;           // of them per call
  double best_then = 0;       // in `unit`
  std::function<void(int calls)> pass{};
};

// One run of one workload.
class WorkloadRun {
 public:
  // The pool must outlive it.
  WorkloadRun(ThreadPool& pool, const WorkloadOptions& options);

  ThreadPool& pool() noexcept { return pool_; }
  const WorkloadOptions& options() const noexcept { return options_; }
  bool stopped() const { return options_.stop && options_.stop(); }

  // Measures a part; absent where it was stopped before the first warm repeat.
  std::optional<PartResult> measure(const PartSpec& spec);
  void add(PartResult result);
  // The two together.
  void part(const PartSpec& spec);

  const std::vector<PartResult>& parts() const noexcept { return parts_; }

 private:
  ThreadPool& pool_;
  WorkloadOptions options_;
  std::vector<PartResult> parts_;
};

struct Workload {
  const char* name;
  const char* what;  // one line for people
  void (*run)(WorkloadRun& run);
};

// All of them, in the order of the reference figures.
std::span<const Workload> workloads();
// Throws Error{usage}, listing the names, for an unknown one.
const Workload& workload(std::string_view name);

}  // namespace smallmind
