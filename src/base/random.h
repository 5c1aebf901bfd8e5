// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011).
//
// A number is a pure function of (seed, step, stream, element), so dropout, shuffling, initialisation and
// sampling give the same bits under recomputation, after resume and with any number of threads. One block is
// ten rounds (some 25 cycles) and gives four words; element e is word e % 4 of block e / 4. The 128-bit
// counter is (hi, lo): lo = block index, hi = step << 32 | stream; the 64-bit key is the seed. Not for
// cryptography.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "base/error.h"

namespace smallmind {

struct Philox {
  // The four words of the block at counter hi:lo under the key seed.
  static std::array<std::uint32_t, 4> block(std::uint64_t seed, std::uint64_t hi, std::uint64_t lo) noexcept {
    const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
    std::array<std::uint32_t, 4> c{low(lo), high(lo), low(hi), high(hi)};
    std::uint32_t k0 = low(seed), k1 = high(seed);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c[2];
      c = {high(p1) ^ c[1] ^ k0, low(p1), high(p0) ^ c[3] ^ k1, low(p0)};
      k0 += 0x9E3779B9u;  // golden ratio
      k1 += 0xBB67AE85u;  // sqrt(3) - 1
    }
    return c;
  }
};

// All numbers of one purpose (stream: say, the dropout of one layer) at one step. A value type; thread-safe.
class RandomStream {
 public:
  // step < 2^32 (Error otherwise).
  RandomStream(std::uint64_t seed, std::uint64_t step, std::uint32_t stream)
      : seed_(seed), hi_(step << 32 | stream) {
    SM_CHECK(step >> 32 == 0, "[random] a step below 2^32 expected, {} found", step);
  }

  // Words of elements 4 * index .. 4 * index + 3, for loops that want all four.
  std::array<std::uint32_t, 4> block(std::uint64_t index) const noexcept {
    return Philox::block(seed_, hi_, index);
  }

  std::uint32_t bits(std::uint64_t element) const noexcept { return block(element / 4)[element % 4]; }

  // Uniform in [0, 1), a multiple of 2^-24.
  float uniform(std::uint64_t element) const noexcept { return to_uniform(bits(element)); }

  static float to_uniform(std::uint32_t word) noexcept { return static_cast<float>(word >> 8) * 0x1p-24f; }

  // Uniform in 0 .. bound - 1 (bound > 0) by the high half of a product; the bias is below bound / 2^32.
  std::uint32_t below(std::uint64_t element, std::uint32_t bound) const noexcept {
    return static_cast<std::uint32_t>(std::uint64_t{bits(element)} * bound >> 32);
  }

  // Standard normal by Box-Muller, in double and rounded once: elements 2i and 2i + 1 are the cosine and sine
  // of one pair of words. |value| <= 6.66 = sqrt(2 * 32 * ln 2).
  float normal(std::uint64_t element) const noexcept {
    const std::array<std::uint32_t, 4> words = block(element / 4);
    const std::size_t pair = element % 4 & ~std::uint64_t{1};
    const double u =
        (static_cast<double>(words[pair]) + 1.0) * 0x1p-32;  // (0, 1]: the logarithm stays finite
    const double angle = 2.0 * std::numbers::pi * 0x1p-32 * static_cast<double>(words[pair + 1]);
    const double radius = std::sqrt(-2.0 * std::log(u));
    return static_cast<float>(radius * (element % 2 == 0 ? std::cos(angle) : std::sin(angle)));
  }

 private:
  std::uint64_t seed_;
  std::uint64_t hi_;
};

}  // namespace smallmind
