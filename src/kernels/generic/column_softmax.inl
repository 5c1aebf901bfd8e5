// Softmax down the columns of a block, the part of it that one block knows: its own maximum and sum.
//
// The blocks of a long column meet later: with m the maximum over all of them, the column's sum is
// sum over blocks of sums * exp(tops - m). Columns are lanes, so nothing is ever reduced across a vector, and
// a column's bits depend on its own elements only.
#pragma once

#include "kernels/generic/math.inl"

namespace smallmind {
namespace {

// kVectors vectors of columns at once: as many chains of max and of + in flight, and whole cache lines of
// every row.
template <int kVectors>
void column_softmax_vectors(float* x, Index stride, Index rows, float* tops, float* sums) {
  Vec top[kVectors], total[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) top[v] = set(-kInfinity), total[v] = zero();
  for (Index i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) top[v] = max(load(x + i * stride + v * kWidth), top[v]);
  }
  for (Index i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* at = x + i * stride + v * kWidth;
      const Vec e = exp_bounded(load(at) - top[v]);
      store(at, e);
      total[v] = total[v] + e;
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) store(tops + v * kWidth, top[v]), store(sums + v * kWidth, total[v]);
}

void column_softmax(float* x, Index stride, Index rows, Index cols, float* tops, float* sums) noexcept {
  Index j = 0;
  for (; j + 4 * kWidth <= cols; j += 4 * kWidth)
    column_softmax_vectors<4>(x + j, stride, rows, tops + j, sums + j);
  for (; j + kWidth <= cols; j += kWidth) column_softmax_vectors<1>(x + j, stride, rows, tops + j, sums + j);
  if (j == cols) return;
  Vec top = set(-kInfinity), total = zero();
  for (Index i = 0; i < rows; ++i) top = max(load_n(x + i * stride + j, cols - j), top);
  for (Index i = 0; i < rows; ++i) {
    const Vec e = exp_bounded(load_n(x + i * stride + j, cols - j) - top);
    store_n(x + i * stride + j, e, cols - j);
    total = total + e;
  }
  store_n(tops + j, top, cols - j);
  store_n(sums + j, total, cols - j);
}

void install_column_softmax(KernelTable& table) noexcept {
  table.column_softmax = column_softmax;
}

}  // namespace
}  // namespace smallmind
