// Softmax over rows, and cross-entropy fused with it: exp(x - max) never overflows, and the sum is in [1,
// cols] but for a common factor near 1.
//
// A row is read twice, the second time from cache: 50,257 logits are 201 KB. A NaN or +infinity, or a row of
// -infinity only, gives NaN throughout the row; single -infinities give exact zeros.
#pragma once

#include "kernels/generic/loops.inl"
#include "kernels/generic/math.inl"
#include "kernels/generic/reduce.inl"

namespace smallmind {
namespace {

[[gnu::always_inline]] inline float row_maximum(const float* x, Index n) {
  const Vec lowest = set(-kInfinity);
  Vec a = lowest, b = lowest, c = lowest, d = lowest;
  Index i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    a = max(a, load(x + i));
    b = max(b, load(x + i + kWidth));
    c = max(c, load(x + i + 2 * kWidth));
    d = max(d, load(x + i + 3 * kWidth));
  }
  for (; i + kWidth <= n; i += kWidth) a = max(a, load(x + i));
  if (i < n) b = max(b, load_n(x + i, n - i, -kInfinity));
  return maximum(max(max(a, b), max(c, d)));
}

// One row's exponentials and their sum, while the vectors of two other rows pass: the maximum of the next one
// is found, and the previous one gets its factor. A row alone would wait for its maximum and for its sum,
// some 150 of 450 cycles at 1000 columns; so, one loop keeps all pipes busy, and reading the next row brings
// it into L1.
struct SoftmaxStep {
  const float* x;
  float* out;
  const float* next;      // the row whose maximum is wanted
  const float* previous;  // the row to scale; not read where kScale is false
  float* previous_out;
  const float* later;  // to prefetch: the hardware's prefetchers stop at every page, which is about a row
};

// e^(x - maximum), or where kFolded that times some factor between 2^(-1/64) and 2^(1/64), the same for the
// row, which the sum cancels: subtracting the maximum's multiple of 1/32 costs nothing inside exp2_by_lookup.
template <bool kFolded>
struct SoftmaxWeight {
  Vec top, lowest, shift;
  explicit SoftmaxWeight(float maximum) : top{set(maximum)} {
    const float steps = maximum * kLog2E + kInSteps - kInSteps;
    shift = set(kInSteps - steps);
    lowest = set((steps - 127.0f) * (1.0f / kLog2E));  // its weight, and that of -infinity, is 0
  }
  // The multiple must be exact, and `lowest` so near that it still rounds to -127.
  static bool suits(float maximum) { return kFastLookup && maximum > -1e5f && maximum < 1e5f; }
  Vec operator()(Vec x) const {
    if constexpr (kFolded) return exp2_by_lookup(max(lowest, x), set(kLog2E), shift);
    return exp_bounded(x - top);
  }
};

template <bool kScale, bool kFolded>
[[gnu::flatten]] double softmax_step(const SoftmaxStep& row, Index cols, float maximum_of_row,
                                     float factor_of_previous, float& maximum_of_next) {
  const SoftmaxWeight<kFolded> weight(maximum_of_row);
  const Vec factor = set(factor_of_previous);
  Vec highest = set(-kInfinity);
  const double total = sum_over(
      cols,
      [=, &highest](Index j, Vec s) {
        highest = max(highest, load(row.next + j));
        __builtin_prefetch(row.later + j);
        const Vec e = weight(load(row.x + j));
        store(row.out + j, e);
        if constexpr (kScale) store(row.previous_out + j, load(row.previous + j) * factor);
        return s + e;
      },
      [=, &highest](Index j, Index count, Vec s) {
        highest = max(highest, load_n(row.next + j, count, -kInfinity));
        const Vec e = weight(load_n(row.x + j, count, -kInfinity));
        store_n(row.out + j, e, count);
        if constexpr (kScale) store_n(row.previous_out + j, load_n(row.previous + j, count) * factor, count);
        return s + e;
      });
  maximum_of_next = maximum(highest);
  return total;
}

void softmax_rows(const float* x, Index x_stride, Index rows, Index cols, float* out,
                  Index out_stride) noexcept {
  if (rows == 0) return;
  // The weights of short rows wait for their factor in an aligned buffer, so that `out` is written once.
  constexpr Index kBuffered = 2048;
  alignas(64) float buffer[2][kBuffered + 512];  // 10 KB apart: loads do not meet stores modulo 4 KB
  const bool buffered = cols <= kBuffered;
  float top = row_maximum(x, cols), factor = 1.0f;
  const float* previous = x;
  for (Index i = 0; i < rows; ++i, x += x_stride, out += out_stride) {
    const bool last = i + 1 == rows;
    float* const weights = buffered ? buffer[i & 1] : out;
    const SoftmaxStep row{x,
                          weights,
                          last ? x : x + x_stride,
                          previous,
                          out - (i == 0 ? 0 : out_stride),
                          x + x_stride + (buffered ? x_stride : 512)};
    float next_top;
    const bool folded = SoftmaxWeight<true>::suits(top);
    const auto step = i == 0 ? (folded ? softmax_step<false, true> : softmax_step<false, false>)
                             : (folded ? softmax_step<true, true> : softmax_step<true, false>);
    const double total = step(row, cols, top, factor, next_top);
    factor = static_cast<float>(1.0 / total);
    top = next_top;
    previous = weights;
  }
  map(previous, cols, out - out_stride, [f = set(factor)](Vec e) { return e * f; });
}

[[gnu::flatten]] double row_log_sum_exp(const float* x, Index cols) {
  const float highest = row_maximum(x, cols);
  const Vec top = set(highest);
  const double total = sum_over(
      cols, [=](Index j, Vec s) { return s + exp_bounded(load(x + j) - top); },
      [=](Index j, Index count, Vec s) { return s + exp_bounded(load_n(x + j, count, -kInfinity) - top); });
  return static_cast<double>(highest) + __builtin_log(total);
}

void log_sum_exp_rows(const float* x, Index stride, Index rows, Index cols, float* out) noexcept {
  for (Index i = 0; i < rows; ++i) out[i] = static_cast<float>(row_log_sum_exp(x + i * stride, cols));
}

void cross_entropy_rows(const float* logits, Index stride, const std::int32_t* targets, Index rows,
                        Index vocab, float* losses, float* log_sum_exp) noexcept {
  for (Index i = 0; i < rows; ++i, logits += stride) {
    const double log_sum = row_log_sum_exp(logits, vocab);
    const std::int32_t target = targets[i];
    losses[i] = target < 0 ? 0.0f : static_cast<float>(log_sum - static_cast<double>(logits[target]));
    log_sum_exp[i] = static_cast<float>(log_sum);
  }
}

// inverts loss = log_sum_exp - logits[target]
[[gnu::flatten]] void cross_entropy_backward_rows(const float* logits, Index stride,
                                                  const std::int32_t* targets, const float* log_sum_exp,
                                                  float factor, Index rows, Index vocab, float* dlogits,
                                                  Index dlogits_stride) noexcept {
  for (Index i = 0; i < rows; ++i, logits += stride, dlogits += dlogits_stride) {
    const std::int32_t target = targets[i];
    if (target < 0) {
      map(logits, vocab, dlogits, [](Vec) { return zero(); });
      continue;
    }
    const Vec lse = set(log_sum_exp[i]), f = set(factor);
    map(logits, vocab, dlogits, [=](Vec v) { return f * exp_bounded(v - lse); });
    dlogits[target] -= factor;
  }
}

void install_softmax(KernelTable& table) noexcept {
  table.softmax = softmax_rows;
  table.log_sum_exp = log_sum_exp_rows;
  table.cross_entropy = cross_entropy_rows;
  table.cross_entropy_backward = cross_entropy_backward_rows;
}

}  // namespace
}  // namespace smallmind
