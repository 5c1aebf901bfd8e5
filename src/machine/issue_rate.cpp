// See issue_rate.h.
#include "machine/issue_rate.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace smallmind {

double measured_issue_rate() noexcept {
#if defined(__x86_64__)
  using Clock = std::chrono::steady_clock;
  constexpr int kSamples = 3;  // the least time of each: an interruption hits one
  constexpr int kMultiplications = 1600, kIdle = 25'600;
  constexpr double kCycles = 3.0 * kMultiplications;
  auto chain = Clock::duration::max(), idle = Clock::duration::max();
  std::uint64_t x = 3;
  for (int sample = 0; sample < kSamples; ++sample) {
    const auto begin = Clock::now();
    for (int i = 0; i < kMultiplications; i += 4)
      asm volatile("imul %0, %0\n\timul %0, %0\n\timul %0, %0\n\timul %0, %0" : "+r"(x));
    const auto middle = Clock::now();
    for (int i = 0; i < kIdle; i += 64)
      asm volatile(".rept 64\n\txorl %%eax, %%eax\n\t.endr" ::: "eax", "cc");
    const auto end = Clock::now();
    chain = std::min(chain, middle - begin);
    idle = std::min(idle, end - middle);
  }
  const auto count = [](Clock::duration time) {
    return static_cast<double>(std::max<Clock::rep>(1, time.count()));
  };
  return kIdle / kCycles * count(chain) / count(idle);
#else
  return 0;
#endif
}

}  // namespace smallmind
