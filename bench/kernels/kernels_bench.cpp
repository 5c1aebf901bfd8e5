// The rows of `smallmind bench --kernels` as Google Benchmarks: repetitions, filters, JSON and comparisons of
// two builds by its tools/compare.py. Roofs, rivals and targets are the program's business, not this one's.
//
//   kernels_bench --benchmark_filter='softmax|attention'
//
// Names are kernel/form/shape/threads; counters are FLOP/s or bytes/s with the costs of nn/op.h.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <chrono>

#include "base/cgroup.h"
#include "kernels/dispatch.h"
#include "profiler/kernel_bench/core_watch.h"
#include "profiler/kernel_bench/spec.h"

namespace smallmind {
namespace {

double seconds_of(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void run_row(benchmark::State& state, const KernelSpec& spec, ThreadPool& pool, CoreWatch& cores,
             const RivalLibraries& rivals) {
  const KernelWork work = spec.work({pool, cores, kernels(), rivals, 0});
  if (work.prepare) work.prepare();
  work.run();  // touches all memory
  for ([[maybe_unused]] auto _ : state) {
    if (work.prepare) work.prepare();
    state.SetIterationTime(seconds_of(work.run));
  }
  const auto amount = static_cast<double>(work.in_flops ? work.cost.flops : work.cost.bytes);
  state.counters[work.in_flops ? "FLOP/s" : "bytes/s"] =
      benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace
}  // namespace smallmind

int main(int argc, char** argv) {
  using namespace smallmind;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const RivalLibraries none(false);
  const std::vector<KernelSpec> specs = all_specs();
  ThreadPool one(1), all(available_threads());
  CoreWatch one_core(one), all_cores(all);
  for (const KernelSpec& spec : specs) {
    if (!spec.work) continue;
    for (ThreadPool* pool : {&one, &all}) {
      if (pool == &all && all.size() == 1) continue;
      CoreWatch& cores = pool == &one ? one_core : all_cores;
      const std::string name =
          fmt::format("{}/{}/{}/threads:{}", spec.kernel, spec.form, spec.shape, pool->size());
      benchmark::RegisterBenchmark(name.c_str(), [&spec, pool, &cores, &none](benchmark::State& state) {
        run_row(state, spec, *pool, cores, none);
      })->UseManualTime();
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
