// Cold pass, warm repeats, statistics; see workload.h.
#include "profiler/workload.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "base/error.h"
#include "base/zone.h"
#include "profiler/workloads/workloads.h"

namespace smallmind {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostRepeats = 20000;  // a recording numbers repeats by 15 bits

constexpr Workload kWorkloads[] = {
    {"standard", "small, a prompt of 10 tokens, 3 x 50 tokens at temperature 0.8", &run_standard},
    {"deep", "matmul 128, 256, 512; medium, a prompt of 32 tokens, 3 x 50 tokens", &run_deep},
    {"enhanced", "matmul, GELU, softmax, add, mul, broadcast by size; small and medium, 10 + 25 tokens",
     &run_enhanced},
    {"tiny-window", "tiny, a full window of 32 tokens for each of 256 tokens", &run_tiny_window},
    {"simd", "the vector kernels: add, ReLU, GELU, softmax, matmul 512, dot", &run_simd},
    {"training", "AdamW, LayerNorm, a training step of small and medium", &run_training},
    {"memory", "arena pool, in-place ops, LayerNorm, matmul forward and backward, a toy MLP", &run_memory},
    {"allocation", "what sessions, texts and training steps take from the heap and the arenas",
     &run_allocation},
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Units of time and how many of them a second has; 0 for rates.
double time_scale(std::string_view unit) {
  return unit == "ms" ? 1e3 : unit == "us" ? 1e6 : unit == "ns" ? 1e9 : 0;
}

// One repeat's seconds, in the part's unit.
double in_unit(const PartSpec& spec, int calls, double seconds) {
  const double scale = time_scale(spec.unit);
  return scale > 0 ? scale * seconds / (calls * spec.amount) : calls * spec.amount / seconds;
}

double timed_pass(const PartSpec& spec, int repeat, int calls) {
  const auto begin = Clock::now();
  {
    const Zone zone(
        spec.name,
        {.layer = repeat, .shape = {static_cast<std::int32_t>(calls * spec.items)}, .kind = ZoneKind::pass});
    spec.pass(calls);
  }
  return seconds_since(begin);
}

PartResult named(const PartSpec& spec) {
  const std::string_view name = spec.name;
  const std::size_t comma = name.find(", ");
  PartResult result;
  result.part = name.substr(0, comma);
  if (comma != std::string_view::npos) result.mode = name.substr(comma + 2);
  result.unit = spec.unit;
  result.is_time = time_scale(spec.unit) > 0;
  result.best_then = spec.best_then;
  result.item = spec.item;
  result.items = spec.calls * spec.items;
  return result;
}

}  // namespace

double PartResult::ratio() const noexcept {
  if (best_then <= 0 || median <= 0) return 0;
  return is_time ? best_then / median : median / best_then;
}

WorkloadRun::WorkloadRun(ThreadPool& pool, const WorkloadOptions& options) : pool_(pool), options_(options) {}

std::optional<PartResult> WorkloadRun::measure(const PartSpec& spec) {
  if (stopped()) return std::nullopt;
  PartResult result = named(spec);
  std::vector<double> values;
  values.reserve(kMostRepeats);  // nothing but the work itself may take from the heap below
  result.cold = in_unit(spec, 1, timed_pass(spec, 0, 1));
  const ThreadCounters before = thread_counters;
  const auto begin = Clock::now();
  while (
      values.size() < kMostRepeats && !stopped() &&
      (static_cast<int>(values.size()) < options_.least_repeats || seconds_since(begin) < options_.seconds)) {
    const int repeat = static_cast<int>(values.size()) + 1;
    values.push_back(in_unit(spec, spec.calls, timed_pass(spec, repeat, spec.calls)));
  }
  if (values.empty()) return std::nullopt;
  const ThreadCounters taken = thread_counters - before;
  const double items = result.items * static_cast<double>(values.size());
  result.arena_bytes = static_cast<double>(taken.arena_bytes) / items;
  if (options_.heap_is_counted) {
    result.heap_allocations = static_cast<double>(taken.heap_allocations) / items;
    result.heap_bytes = static_cast<double>(taken.heap_bytes) / items;
  }
  result.repeats = static_cast<int>(values.size());
  result.median = median(values);
  result.deviation = median_deviation(values);
  result.interval = median_interval(values);
  return result;
}

void WorkloadRun::add(PartResult result) {
  parts_.push_back(std::move(result));
  if (options_.on_part) options_.on_part(parts_.back());
}

void WorkloadRun::part(const PartSpec& spec) {
  if (std::optional<PartResult> result = measure(spec)) add(std::move(*result));
}

std::span<const Workload> workloads() {
  return kWorkloads;
}

const Workload& workload(std::string_view name) {
  std::string known;
  for (const Workload& candidate : kWorkloads) {
    if (name == candidate.name) return candidate;
    known += (known.empty() ? "" : ", ") + std::string(candidate.name);
  }
  fail_usage("[workload] one of {} expected, \"{}\" given", known, name);
}

}  // namespace smallmind
