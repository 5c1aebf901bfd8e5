// LayerNorm (Ba et al., 2016) and RMSNorm (Zhang and Sennrich, 2019), forward and backward, row by row.
//
// A row is read several times but leaves memory once: 4 KB to 48 KB stay in L1. The variance is two-pass: the
// rounded f32 mean is off by up to half an ulp (5e-4 at 1e4), so the second pass also sums x - mean, whose
// average is the correction that variance and output need. With it, 1e4 + noise is normalised as exactly as
// noise.
#pragma once

#include "kernels/generic/loops.inl"
#include "kernels/generic/reduce.inl"

namespace smallmind {
namespace {

struct RowMoments {
  float mean;   // rounded; the true mean is mean + correction
  float shift;  // -correction * rstd
  float rstd;
};

// Four chains hide the latency of the additions. f32 is enough: the first sum need not be exact, and the
// second and third are of small terms.
[[gnu::always_inline]] inline float row_mean(const float* x, Index cols) {
  const Index whole = cols - cols % kWidth, rest = cols - whole;
  Vec s[4] = {zero(), zero(), zero(), zero()};
  Index j = 0;
  for (; j + 4 * kWidth <= cols; j += 4 * kWidth) {
    for (int c = 0; c < 4; ++c) s[c] = s[c] + load(x + j + c * kWidth);
  }
  for (; j < whole; j += kWidth) s[0] = s[0] + load(x + j);
  if (rest > 0) s[1] = s[1] + load_n(x + whole, rest);
  return static_cast<float>(static_cast<double>(sum((s[0] + s[1]) + (s[2] + s[3]))) /
                            static_cast<double>(cols));
}

[[gnu::always_inline]] inline RowMoments row_moments(const float* x, Index cols, float mean, float eps) {
  const double n = static_cast<double>(cols);
  const Index whole = cols - cols % kWidth, rest = cols - whole;
  Vec s[4] = {zero(), zero(), zero(), zero()};
  Vec q[4] = {zero(), zero(), zero(), zero()};
  const Vec m = set(mean);
  const auto take = [&](int c, Vec v) {
    const Vec d = v - m;
    s[c] = s[c] + d;
    q[c] = mul_add(d, d, q[c]);
  };
  Index j = 0;
  for (; j + 4 * kWidth <= cols; j += 4 * kWidth) {
    for (int c = 0; c < 4; ++c) take(c, load(x + j + c * kWidth));
  }
  for (; j < whole; j += kWidth) take(0, load(x + j));
  if (rest > 0) take(1, load_n(x + whole, rest, mean));  // lanes past the end count as the mean

  const double correction = static_cast<double>(sum((s[0] + s[1]) + (s[2] + s[3]))) / n;
  const double variance =
      static_cast<double>(sum((q[0] + q[1]) + (q[2] + q[3]))) / n - correction * correction;
  const double rstd = 1.0 / __builtin_sqrt(variance + static_cast<double>(eps));
  return {mean, static_cast<float>(-correction * rstd), static_cast<float>(rstd)};
}

// out = ((x - mean) rstd + shift) weight + bias
[[gnu::always_inline]] inline void normalise_row(const float* x, RowMoments row, const float* weight,
                                                 const float* bias, Index cols, float* out) {
  const Vec m = set(row.mean), r = set(row.rstd), shift = set(row.shift);
  const auto normalised = [=](Vec v) { return mul_add(v - m, r, shift); };
  Index j = 0;
  for (; j + kWidth <= cols; j += kWidth) {
    const Vec offset = bias != nullptr ? load(bias + j) : zero();
    store(out + j, mul_add(normalised(load(x + j)), load(weight + j), offset));
  }
  if (const Index rest = cols - j; rest > 0) {
    const Vec offset = bias != nullptr ? load_n(bias + j, rest) : zero();
    store_n(out + j, mul_add(normalised(load_n(x + j, rest)), load_n(weight + j, rest), offset), rest);
  }
}

// Each of the three passes waits at its end for sums, a division or a root: some 60 cycles, as long as the
// pass of 512 columns itself. So the rows that half of L1 holds make a pass together, and one's wait is
// another's work.
[[gnu::flatten]] void layer_norm_rows(const float* x, Index x_stride, const float* weight, const float* bias,
                                      float eps, Index rows, Index cols, float* out, Index out_stride,
                                      float* mean, float* rstd) noexcept {
  constexpr Index kMostRows = 8, kFloats = 4096;
  const Index fitting = cols > 0 ? kFloats / cols : kMostRows;
  const Index at_once = fitting < 1 ? 1 : fitting < kMostRows ? fitting : kMostRows;
  RowMoments row[kMostRows];
  for (Index first = 0; first < rows; first += at_once) {
    const Index count = rows - first < at_once ? rows - first : at_once;
    const float* from = x + first * x_stride;
    for (Index i = 0; i < count; ++i) row[i].mean = row_mean(from + i * x_stride, cols);
    for (Index i = 0; i < count; ++i) row[i] = row_moments(from + i * x_stride, cols, row[i].mean, eps);
    for (Index i = 0; i < count; ++i) {
      normalise_row(from + i * x_stride, row[i], weight, bias, cols, out + (first + i) * out_stride);
      if (mean != nullptr) mean[first + i] = row[i].mean;
      if (rstd != nullptr) rstd[first + i] = row[i].rstd;
    }
  }
}

// The sum of a row is in L1 when the norm reads it.
void add_layer_norm_rows(const float* a, const float* b, const float* weight, const float* bias, float eps,
                         Index rows, Index cols, float* h, float* out, float* mean, float* rstd) noexcept {
  for (Index i = 0; i < rows; ++i, a += cols, b += cols, h += cols, out += cols) {
    map(a, b, cols, h, [](Vec u, Vec v) { return u + v; });
    layer_norm_rows(h, cols, weight, bias, eps, 1, cols, out, cols, mean == nullptr ? nullptr : mean + i,
                    rstd == nullptr ? nullptr : rstd + i);
  }
}

// What a row's gradient needs, with h = (x - mean) rstd and g = dout weight: dx = rstd (g - a - h b).
struct RowGradient {
  float a, b;
  float center;  // mean of h: not zero where the stored mean was rounded
};

// inverts out = h weight + bias:
//   dx = rstd (g - mean(g) - h' mean(g h')), h' = h - mean(h);  dweight += dout h';  dbias += dout
[[gnu::always_inline]] inline RowGradient layer_norm_sums(const float* dout, const float* x,
                                                          const float* weight, float mean, float rstd,
                                                          Index cols) {
  const Vec m = set(mean), r = set(rstd);
  Vec g_sum = zero(), gh_sum = zero(), h_sum = zero();
  const auto take = [&](Vec d, Vec w, Vec h) {
    const Vec g = d * w;
    g_sum = g_sum + g;
    gh_sum = mul_add(g, h, gh_sum);
    h_sum = h_sum + h;
  };
  Index j = 0;
  for (; j + kWidth <= cols; j += kWidth) take(load(dout + j), load(weight + j), (load(x + j) - m) * r);
  if (const Index rest = cols - j; rest > 0) {
    take(load_n(dout + j, rest), load_n(weight + j, rest), (load_n(x + j, rest, mean) - m) * r);
  }
  const float n = static_cast<float>(cols);
  const float center = sum(h_sum) / n;
  const float g_mean = sum(g_sum) / n;
  const float b = sum(gh_sum) / n - center * g_mean;
  return {g_mean - center * b, b, center};
}

// dx (+)= rstd (dout weight - a - h b), h = (x - mean) rstd
template <bool kAccumulate>
[[gnu::always_inline]] inline void norm_dx(const float* dout, const float* x, const float* weight, float mean,
                                           float rstd, RowGradient row, Index cols, float* dx) {
  const Vec m = set(mean), r = set(rstd), a = set(row.a), b = set(row.b);
  const auto gradient = [=](Vec d, Vec w, Vec v) {
    return r * (mul_add(d, w, zero() - a) - (v - m) * r * b);
  };
  Index j = 0;
  for (; j + kWidth <= cols; j += kWidth) {
    const Vec g = gradient(load(dout + j), load(weight + j), load(x + j));
    store(dx + j, kAccumulate ? load(dx + j) + g : g);
  }
  if (const Index rest = cols - j; rest > 0) {
    const Vec g = gradient(load_n(dout + j, rest), load_n(weight + j, rest), load_n(x + j, rest));
    store_n(dx + j, kAccumulate ? load_n(dx + j, rest) + g : g, rest);
  }
}

// dweight += dout (h - center), and dbias += dout where it is wanted
[[gnu::always_inline]] inline void norm_dweight(const float* dout, const float* x, float mean, float rstd,
                                                float center, Index cols, float* dweight) {
  const Vec r = set(rstd), m = set(mean), c = set(center);
  const auto gradient = [=](Vec d, Vec v, Vec total) { return mul_add(d, (v - m) * r - c, total); };
  Index j = 0;
  for (; j + kWidth <= cols; j += kWidth) {
    store(dweight + j, gradient(load(dout + j), load(x + j), load(dweight + j)));
  }
  if (const Index rest = cols - j; rest > 0) {
    store_n(dweight + j, gradient(load_n(dout + j, rest), load_n(x + j, rest), load_n(dweight + j, rest)),
            rest);
  }
}

template <bool kAccumulate>
[[gnu::flatten]] void layer_norm_backward_rows(const float* dout, const float* x, Index x_stride,
                                               const float* weight, const float* mean, const float* rstd,
                                               Index rows, Index cols, float* dx, float* dweight,
                                               float* dbias) {
  for (Index i = 0; i < rows; ++i, dout += cols, x += x_stride, dx += cols) {
    const RowGradient row = layer_norm_sums(dout, x, weight, mean[i], rstd[i], cols);
    norm_dx<kAccumulate>(dout, x, weight, mean[i], rstd[i], row, cols, dx);
    if (dweight != nullptr) norm_dweight(dout, x, mean[i], rstd[i], row.center, cols, dweight);
    if (dbias != nullptr) map(dout, dbias, cols, dbias, [](Vec d, Vec total) { return d + total; });
  }
}

void layer_norm_backward_all(const float* dout, const float* x, Index x_stride, const float* weight,
                             const float* mean, const float* rstd, Index rows, Index cols, float* dx,
                             bool accumulate, float* dweight, float* dbias) noexcept {
  const auto loop = accumulate ? layer_norm_backward_rows<true> : layer_norm_backward_rows<false>;
  loop(dout, x, x_stride, weight, mean, rstd, rows, cols, dx, dweight, dbias);
}

[[gnu::flatten]] void rms_norm_rows(const float* x, Index x_stride, const float* weight, float eps,
                                    Index rows, Index cols, float* out, Index out_stride,
                                    float* rstd) noexcept {
  for (Index i = 0; i < rows; ++i, x += x_stride, out += out_stride) {
    const double squares = sum_over(
        cols, [=](Index j, Vec s) { return mul_add(load(x + j), load(x + j), s); },
        [=](Index j, Index count, Vec s) {
          const Vec v = load_n(x + j, count);
          return mul_add(v, v, s);
        });
    const double mean_square = squares / static_cast<double>(cols);
    const float r = static_cast<float>(1.0 / __builtin_sqrt(mean_square + static_cast<double>(eps)));
    map(x, weight, cols, out, [factor = set(r)](Vec v, Vec w) { return v * factor * w; });
    if (rstd != nullptr) rstd[i] = r;
  }
}

void add_rms_norm_rows(const float* a, const float* b, const float* weight, float eps, Index rows, Index cols,
                       float* h, float* out, float* rstd) noexcept {
  for (Index i = 0; i < rows; ++i, a += cols, b += cols, h += cols, out += cols) {
    map(a, b, cols, h, [](Vec u, Vec v) { return u + v; });
    rms_norm_rows(h, cols, weight, eps, 1, cols, out, cols, rstd == nullptr ? nullptr : rstd + i);
  }
}

// inverts out = h weight, h = x rstd: dx = rstd (g - h mean(g h)), g = dout weight;  dweight += dout h
template <bool kAccumulate>
[[gnu::flatten]] void rms_norm_backward_rows(const float* dout, const float* x, Index x_stride,
                                             const float* weight, const float* rstd, Index rows, Index cols,
                                             float* dx, float* dweight) {
  for (Index i = 0; i < rows; ++i, dout += cols, x += x_stride, dx += cols) {
    const Vec r = set(rstd[i]);
    const double total = sum_over(
        cols, [=](Index j, Vec s) { return mul_add(load(dout + j) * load(weight + j), load(x + j) * r, s); },
        [=](Index j, Index count, Vec s) {
          return mul_add(load_n(dout + j, count) * load_n(weight + j, count), load_n(x + j, count) * r, s);
        });
    const RowGradient row{0.0f, static_cast<float>(total / static_cast<double>(cols)), 0.0f};
    norm_dx<kAccumulate>(dout, x, weight, 0.0f, rstd[i], row, cols, dx);
    if (dweight != nullptr) norm_dweight(dout, x, 0.0f, rstd[i], 0.0f, cols, dweight);
  }
}

void rms_norm_backward_all(const float* dout, const float* x, Index x_stride, const float* weight,
                           const float* rstd, Index rows, Index cols, float* dx, bool accumulate,
                           float* dweight) noexcept {
  const auto loop = accumulate ? rms_norm_backward_rows<true> : rms_norm_backward_rows<false>;
  loop(dout, x, x_stride, weight, rstd, rows, cols, dx, dweight);
}

void install_norm(KernelTable& table) noexcept {
  table.layer_norm = layer_norm_rows;
  table.layer_norm_backward = layer_norm_backward_all;
  table.add_layer_norm = add_layer_norm_rows;
  table.add_rms_norm = add_rms_norm_rows;
  table.rms_norm = rms_norm_rows;
  table.rms_norm_backward = rms_norm_backward_all;
}

}  // namespace
}  // namespace smallmind
