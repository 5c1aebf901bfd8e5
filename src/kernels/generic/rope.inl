// Rotary position embedding (Su et al., 2021) on the halves of each head: the pair (j, j + K/2) turns by
// angle j.
//   out[j] = x[j] cos - x[j + K/2] sin,   out[j + K/2] = x[j + K/2] cos + x[j] sin
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

void install_rope(KernelTable& table) noexcept {
  table.rope = rope_row;
}

}  // namespace
}  // namespace smallmind
