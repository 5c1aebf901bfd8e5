// Rows of a table by index, and sums into them: an embedding and its gradient. Ids must lie within the table.
#pragma once

#include "kernels/generic/loops.inl"

namespace smallmind {
namespace {

void gather_rows_n(const float* table, Index stride, const std::int32_t* ids, Index rows, Index cols,
                   float* out) noexcept {
  for (Index i = 0; i < rows; ++i)
    map(table + ids[i] * stride, cols, out + i * cols, [](Vec v) { return v; });
}

// A row of the table may be named often: ascending i fixes the order of its sum.
void scatter_add_rows_n(const float* x, Index x_stride, const std::int32_t* ids, Index rows, Index begin,
                        Index end, float* table, Index stride) noexcept {
  for (Index i = 0; i < rows; ++i) {
    float* to = table + ids[i] * stride + begin;
    map(to, x + i * x_stride + begin, end - begin, to, [](Vec sum_so_far, Vec v) { return sum_so_far + v; });
  }
}

void install_gather(KernelTable& table) noexcept {
  table.gather_rows = gather_rows_n;
  table.scatter_add_rows = scatter_add_rows_n;
}

}  // namespace
}  // namespace smallmind
