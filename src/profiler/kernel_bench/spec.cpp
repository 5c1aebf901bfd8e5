// Shared by the rows of the benchmark; see spec.h.
#include "profiler/kernel_bench/spec.h"

namespace smallmind {
KernelResult timed(const BenchContext& context, const KernelWork& work) {
  const Measurement m = measure(work, context.cores, context.seconds);
  const auto amount = static_cast<double>(work.in_flops ? work.cost.flops : work.cost.bytes);
  KernelResult result;
  result.value = 1e-9 * amount / m.seconds;
  result.unit = work.in_flops ? "GFLOP/s" : "GB/s";
  result.roof = m.roof;
  result.roofline_share = m.share;
  result.spread = m.spread;
  for (const auto& [name, seconds] : m.rival_seconds)
    result.rivals.emplace_back(name, 1e-9 * amount / seconds);
  result.disturbed = m.disturbed;
  result.alone = m.alone;
  return result;
}

Roof fma_roof(const BenchContext& context) {
  constexpr Index kIterations = 60000;  // some 90 us with 512-bit vectors: the start is 0.3 %
  constexpr Index kProbe = 10;
  const double amount = context.kernels.fma_flops(kProbe) / kProbe * kIterations * context.pool.size();
  return {"fma", true, amount, [&pool = context.pool, &kernels = context.kernels] {
            pool.run([&](int) { static_cast<void>(kernels.fma_flops(kIterations)); });
          }};
}

}  // namespace smallmind
