// What the files of ops share: how finely work is cut, and sums over rows in a fixed order.
#pragma once

#include <algorithm>
#include <cstring>

#include "nn/exec.h"

namespace smallmind {

// Waking a worker costs some 0.3 us; a thread should get at least this many elements of elementwise work
// (about 1 us).
inline constexpr Index kElementGrain = 8192;

// Rows per grain such that a grain has at least `kElementGrain` elements.
inline Index row_grain(Index cols) {
  return std::max<Index>(1, kElementGrain / std::max<Index>(1, cols));
}

// target (+)= contribution, rows in parallel.
inline void add_rows(Exec& ex, const Tensor& contribution, const GradTarget& target) {
  if (!target) return;
  ex.parallel(contribution.rows, row_grain(contribution.cols), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      float* to = target.data + i * target.stride;
      if (target.accumulate)
        ex.kernels().add(to, contribution.row(i), contribution.cols, to);
      else
        std::memcpy(to, contribution.row(i), static_cast<std::size_t>(contribution.cols) * sizeof(float));
    }
  });
}

// Sums over rows (bias and norm gradients) are made in this many chunks of rows, added in ascending order,
// whatever the number of threads; more chunks would cost memory, fewer would leave threads idle.
inline constexpr Index kSumChunks = 8;

// Runs f(begin, end, partial) for each chunk of rows; `partial` is that chunk's zeroed row of `width` sums.
// Then adds the chunks to `total` (width) in order.
template <typename F>
void chunked_sums(Exec& ex, Index rows, Index width, float* total, F&& f) {
  ScratchScope scratch(ex);
  const Index chunks = std::min(kSumChunks, std::max<Index>(1, rows * width / kElementGrain));
  float* partials = ex.scratch(chunks * width);
  ex.parallel(chunks, 1, [&](Index first, Index last) {
    for (Index c = first; c < last; ++c) {
      float* partial = partials + c * width;
      std::memset(partial, 0, static_cast<std::size_t>(width) * sizeof(float));
      f(rows * c / chunks, rows * (c + 1) / chunks, partial);
    }
  });
  if (total == nullptr || ex.measuring()) return;
  for (Index c = 0; c < chunks; ++c) ex.kernels().axpy(1.0f, partials + c * width, width, total);
}

}  // namespace smallmind
