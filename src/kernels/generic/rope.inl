// Rotary position embedding (Su et al., 2021): the pair (a, b) turns by angle j, j < K/2,
//   out a = a cos - b sin,   out b = b cos + a sin,
// where the pair is (j, j + K/2), the halves of a head, or (2j, 2j + 1), neighbours.
#pragma once

namespace smallmind {
namespace {

[[gnu::flatten]] void rope_row(const float* x, Index heads, Index head_width, const float* cosines,
                               const float* sines, float direction, float* out) noexcept {
  const Index half = head_width / 2;
  const Vec sign = set(direction);
  for (Index h = 0; h < heads; ++h, x += head_width, out += head_width) {
    Index j = 0;
    for (; j + kWidth <= half; j += kWidth) {
      const Vec a = load(x + j), b = load(x + half + j);
      const Vec c = load(cosines + j), s = load(sines + j) * sign;
      store(out + j, neg_mul_add(b, s, a * c));
      store(out + half + j, mul_add(a, s, b * c));
    }
    if (const Index rest = half - j; rest > 0) {
      const Vec a = load_n(x + j, rest), b = load_n(x + half + j, rest);
      const Vec c = load_n(cosines + j, rest), s = load_n(sines + j, rest) * sign;
      store_n(out + j, neg_mul_add(b, s, a * c), rest);
      store_n(out + half + j, mul_add(a, s, b * c), rest);
    }
  }
}

// Two vectors hold kWidth pairs; the last pairs go through a buffer of that size.
[[gnu::flatten]] void rope_row_interleaved(const float* x, Index heads, Index head_width,
                                           const float* cosines, const float* sines, float direction,
                                           float* out) noexcept {
  const Index half = head_width / 2, whole = half - half % kWidth, rest = half - whole;
  const Vec sign = set(direction);
  const auto rotate = [=](const float* from, Vec c, Vec s, float* to) {
    Vec a, b, first, second;
    deinterleave(load(from), load(from + kWidth), a, b);
    interleave(neg_mul_add(b, s * sign, a * c), mul_add(a, s * sign, b * c), first, second);
    store(to, first);
    store(to + kWidth, second);
  };
  for (Index h = 0; h < heads; ++h, x += head_width, out += head_width) {
    for (Index j = 0; j < whole; j += kWidth)
      rotate(x + 2 * j, load(cosines + j), load(sines + j), out + 2 * j);
    if (rest == 0) continue;
    float pairs[2 * kWidth] = {};
    for (Index j = 0; j < 2 * rest; ++j) pairs[j] = x[2 * whole + j];
    rotate(pairs, load_n(cosines + whole, rest), load_n(sines + whole, rest), pairs);
    for (Index j = 0; j < 2 * rest; ++j) out[2 * whole + j] = pairs[j];
  }
}

void install_rope(KernelTable& table) noexcept {
  table.rope = rope_row;
  table.rope_interleaved = rope_row_interleaved;
}

}  // namespace
}  // namespace smallmind
