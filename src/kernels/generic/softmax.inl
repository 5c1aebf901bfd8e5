// Softmax over rows, and cross-entropy fused with it: exp(x - max) never overflows, and the sum is in [1,
// cols].
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

[[gnu::flatten]] void softmax_rows(const float* x, Index x_stride, Index rows, Index cols, float* out,
                                   Index out_stride) noexcept {
  for (Index i = 0; i < rows; ++i, x += x_stride, out += out_stride) {
    const Vec top = set(row_maximum(x, cols));
    const double total = sum_over(
        cols,
        [=](Index j, Vec s) {
          const Vec e = exp_bounded(load(x + j) - top);
          // The next row: hardware prefetchers stop at every 4 KB page, about one row. Worth 9 % at 1000
          // columns.
          __builtin_prefetch(x + x_stride + j);
          __builtin_prefetch(out + out_stride + j, 1);
          store(out + j, e);
          return s + e;
        },
        [=](Index j, Index count, Vec s) {
          const Vec e = exp_bounded(load_n(x + j, count, -kInfinity) - top);
          store_n(out + j, e, count);
          return s + e;
        });
    map(out, cols, out, [factor = set(static_cast<float>(1.0 / total))](Vec e) { return e * factor; });
  }
}

[[gnu::flatten]] void cross_entropy_rows(const float* logits, Index stride, const std::int32_t* targets,
                                         Index rows, Index vocab, float* losses,
                                         float* log_sum_exp) noexcept {
  for (Index i = 0; i < rows; ++i, logits += stride) {
    const float maximum_logit = row_maximum(logits, vocab);
    const Vec top = set(maximum_logit);
    const double total = sum_over(
        vocab, [=](Index j, Vec s) { return s + exp_bounded(load(logits + j) - top); },
        [=](Index j, Index count, Vec s) {
          return s + exp_bounded(load_n(logits + j, count, -kInfinity) - top);
        });
    const double log_sum = static_cast<double>(maximum_logit) + __builtin_log(total);
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
  table.cross_entropy = cross_entropy_rows;
  table.cross_entropy_backward = cross_entropy_backward_rows;
}

}  // namespace
}  // namespace smallmind
