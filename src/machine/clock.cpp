// See clock.h.
#include "machine/clock.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace smallmind {

double measured_clock_ghz() noexcept {
#if defined(__x86_64__)
  constexpr int kMultiplications = 200'000;  // some 0.2 ms
  constexpr int kSamples = 15;
  constexpr double kCycles = 3;
  double best = 0;
  std::uint64_t x = 3;
  for (int sample = 0; sample < kSamples; ++sample) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kMultiplications; i += 4) {
      // Written as assembler: a compiler would fold the chain into fewer products.
      asm volatile("imul %0, %0\n\timul %0, %0\n\timul %0, %0\n\timul %0, %0" : "+r"(x));
    }
    const double nanoseconds =
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
    best = std::max(best, kCycles * kMultiplications / nanoseconds);
  }
  return best;
#else
  return 0;
#endif
}

}  // namespace smallmind
