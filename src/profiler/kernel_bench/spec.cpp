// Shared by the rows of the benchmark; see spec.h.
#include "profiler/kernel_bench/spec.h"

#include <algorithm>
#include <numeric>

namespace smallmind {
namespace {

constexpr Index kSkewFloats = 19 * 16;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

Index with_skew(Index floats) {
  return (floats + 15) / 16 * 16 + kSkewFloats;
}

}  // namespace

Arrays::Arrays(std::initializer_list<Index> floats) {
  const Index total = std::accumulate(floats.begin(), floats.end(), Index{0},
                                      [](Index sum, Index n) { return sum + with_skew(n); });
  memory_ = Buffer(std::max(static_cast<std::size_t>(total) * sizeof(float), kHugePage));
  Index at = 0;
  std::uint32_t state = 1;
  for (const Index n : floats) {
    float* array = memory_.as<float>() + at;
    for (Index i = 0; i < n; ++i) {
      state = state * 1664525U + 1013904223U;
      array[i] = static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
    }
    begins_.push_back(array);
    at += with_skew(n);
  }
}

KernelResult timed(const BenchContext& context, const KernelWork& work) {
  const Measurement m = measure(work, {.seconds = context.seconds, .one_thread = context.pool.size() == 1});
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
  return result;
}

Roof fma_roof(const BenchContext& context) {
  constexpr Index kIterations = 10000;  // some 15 us with 512-bit vectors
  constexpr Index kProbe = 10;
  const double amount = context.kernels.fma_flops(kProbe) / kProbe * kIterations * context.pool.size();
  return {"fma", true, amount, [&pool = context.pool, &kernels = context.kernels] {
            pool.run([&](int) { static_cast<void>(kernels.fma_flops(kIterations)); });
          }};
}

}  // namespace smallmind
