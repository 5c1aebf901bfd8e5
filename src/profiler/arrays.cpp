// See arrays.h.
#include "profiler/arrays.h"

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

}  // namespace smallmind
