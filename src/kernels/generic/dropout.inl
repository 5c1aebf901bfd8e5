// Inverted dropout over counter-based draws: Philox4x32-10 with the counters and constants of base/random.h.
//
// Element e of a stream is word e % 4 of block e / 4. kWidth blocks are drawn at once, one per lane, and give
// 4 kWidth words; lane l draws block base + counter_offsets()[l], an order in which transpose_counters, a 4 x
// 4 transposition inside each 128-bit lane, leaves the words of consecutive elements in consecutive lanes.
#pragma once

namespace smallmind {
namespace {

struct DropoutKey {
  std::uint64_t seed, stream;
};

inline std::uint32_t low_word(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
inline std::uint32_t high_word(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

// w: the draws of elements 4 * base .. 4 * base + 4 kWidth - 1, in order.
[[gnu::always_inline]] inline void philox_blocks(DropoutKey key, std::uint64_t base, Words w[4]) {
  const Words offsets = counter_offsets();
  Words c0 = set_words(low_word(base)) + offsets;
  Words c1 = set_words(high_word(base)) + is_less(c0, offsets);  // the carry of the 64-bit counter
  Words c2 = set_words(low_word(key.stream)), c3 = set_words(high_word(key.stream));
  std::uint32_t k0 = low_word(key.seed), k1 = high_word(key.seed);
  for (int round_index = 0; round_index < 10; ++round_index) {
    Words high0, low0, high2, low2;
    multiply_wide(c0, 0xD2511F53u, high0, low0);
    multiply_wide(c2, 0xCD9E8D57u, high2, low2);
    c0 = high2 ^ c1 ^ set_words(k0);
    c2 = high0 ^ c3 ^ set_words(k1);
    c1 = low2;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  w[0] = c0;
  w[1] = c1;
  w[2] = c2;
  w[3] = c3;
  transpose_counters(w);
}

// The draw is (word >> 8) 2^-24; comparing before the exact scaling saves it.
[[gnu::flatten]] void dropout_n(const float* x, Index n, float keep, std::uint64_t seed, std::uint64_t stream,
                                std::uint64_t first, float* out) noexcept {
  const DropoutKey key{seed, stream};
  const Vec limit = set(keep * 0x1p24f), factor = set(1.0f / keep);
  // The first block may start before the first element: it is drawn alone, into a buffer.
  Index i = 0;
  const Index skipped = static_cast<Index>(first % 4);
  const std::uint64_t first_block = first / 4;
  if (skipped != 0) {
    Words w[4];
    philox_blocks(key, first_block, w);
    float draws[4 * kWidth];
    for (int j = 0; j < 4; ++j) store(draws + j * kWidth, to_float(w[j] >> 8));
    for (; i < n && i + skipped < 4; ++i)
      out[i] = draws[i + skipped] < keep * 0x1p24f ? x[i] * (1.0f / keep) : 0.0f;
  }
  for (std::uint64_t block = first_block + (skipped != 0 ? 1 : 0); i < n; block += kWidth) {
    Words w[4];
    philox_blocks(key, block, w);
    for (int j = 0; j < 4 && i < n; ++j) {
      const Mask kept = less(to_float(w[j] >> 8), limit);
      const Index count = n - i < kWidth ? n - i : kWidth;
      if (count == kWidth) {
        store(out + i, select(kept, load(x + i) * factor, zero()));
      } else {
        store_n(out + i, select(kept, load_n(x + i, count) * factor, zero()), count);
      }
      i += count;
    }
  }
}

void install_dropout(KernelTable& table) noexcept {
  table.dropout = dropout_n;
}

}  // namespace
}  // namespace smallmind
