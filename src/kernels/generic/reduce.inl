// Reductions in an order fixed by n alone: within one ISA the same n elements always give the same bits.
//
// Long sums go through two levels: up to kSumBlock vectors are added in f32, four chains to hide the latency
// of the addition, and each block's total is added in double, so that the error does not grow with n.
#pragma once

namespace smallmind {
namespace {

constexpr Index kSumBlock = 64;  // 16 additions per f32 chain, then one conversion: the doubles cost nothing

// The sum of f(i, count) over the vectors of 0 .. n, where f(i) gives elements i .. i + kWidth and f_n the
// last ones.
template <typename F, typename FTail>
[[gnu::flatten]] inline double sum_over(Index n, F f, FTail f_n) {
  Doubles total = zero_doubles();
  Index i = 0;
  while (i + 4 * kWidth <= n) {
    const Index left = (n - i) / (4 * kWidth);
    const Index steps = left < kSumBlock / 4 ? left : kSumBlock / 4;
    Vec a = zero(), b = zero(), c = zero(), d = zero();
    for (Index step = 0; step < steps; ++step, i += 4 * kWidth) {
      a = f(i, a);
      b = f(i + kWidth, b);
      c = f(i + 2 * kWidth, c);
      d = f(i + 3 * kWidth, d);
    }
    add_to(total, (a + b) + (c + d));
  }
  Vec rest = zero();
  for (; i + kWidth <= n; i += kWidth) rest = f(i, rest);
  if (i < n) rest = f_n(i, n - i, rest);
  add_to(total, rest);
  return sum(total);
}

float dot_n(const float* a, const float* b, Index n) noexcept {
  return static_cast<float>(sum_over(
      n, [=](Index i, Vec s) { return mul_add(load(a + i), load(b + i), s); },
      [=](Index i, Index count, Vec s) { return mul_add(load_n(a + i, count), load_n(b + i, count), s); }));
}

// Squares are taken in double: those of gradients leave f32's range on both sides.
[[gnu::flatten]] double sum_squares_n(const float* x, Index n) noexcept {
  Doubles a = zero_doubles(), b = zero_doubles(), c = zero_doubles(), d = zero_doubles();
  Index i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    add_square_to(a, load(x + i));
    add_square_to(b, load(x + i + kWidth));
    add_square_to(c, load(x + i + 2 * kWidth));
    add_square_to(d, load(x + i + 3 * kWidth));
  }
  for (; i + kWidth <= n; i += kWidth) add_square_to(a, load(x + i));
  if (i < n) add_square_to(b, load_n(x + i, n - i));
  return (sum(a) + sum(b)) + (sum(c) + sum(d));
}

// Four vectors of columns at a time go down all rows: 256 bytes of each row with AVX-512, four cache lines.
[[gnu::flatten]] void column_sums_n(const float* x, Index stride, Index rows, Index cols,
                                    float* sums) noexcept {
  Index j = 0;
  for (; j + 4 * kWidth <= cols; j += 4 * kWidth) {
    Vec a = zero(), b = zero(), c = zero(), d = zero();
    for (Index i = 0; i < rows; ++i) {
      const float* row = x + i * stride + j;
      a = a + load(row);
      b = b + load(row + kWidth);
      c = c + load(row + 2 * kWidth);
      d = d + load(row + 3 * kWidth);
    }
    store(sums + j, load(sums + j) + a);
    store(sums + j + kWidth, load(sums + j + kWidth) + b);
    store(sums + j + 2 * kWidth, load(sums + j + 2 * kWidth) + c);
    store(sums + j + 3 * kWidth, load(sums + j + 3 * kWidth) + d);
  }
  for (; j + kWidth <= cols; j += kWidth) {
    Vec a = zero();
    for (Index i = 0; i < rows; ++i) a = a + load(x + i * stride + j);
    store(sums + j, load(sums + j) + a);
  }
  if (const Index rest = cols - j; rest > 0) {
    Vec a = zero();
    for (Index i = 0; i < rows; ++i) a = a + load_n(x + i * stride + j, rest);
    store_n(sums + j, load_n(sums + j, rest) + a, rest);
  }
}

void install_reduce(KernelTable& table) noexcept {
  table.dot = dot_n;
  table.sum_squares = sum_squares_n;
  table.column_sums = column_sums_n;
}

}  // namespace
}  // namespace smallmind
