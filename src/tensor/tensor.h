// Tensor: a non-owning view of a matrix of f32 activations, and the slot in which its gradient grows.
//
// Every activation is a matrix (rows, cols) with unit stride along cols; shapes with more axes are kept in
// names: (N, H*K) is the row-major (N, H, K). A view of some columns (the q part of a fused qkv) shares the
// slot of the whole. Copying a Tensor copies the view, never the data.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace smallmind {

// Where the gradient of one recorded activation accumulates during the backward pass.
// `data` is null until the first contribution arrives; the memory comes from the Exec's gradient arenas.
struct GradSlot {
  float* data = nullptr;  // (rows, cols), contiguous
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  int scope = 0;         // number of the Scope in which the activation was made; 0 is outside of every scope
  bool touched = false;  // some contribution has been asked for (in measuring mode data stays null)
};

struct Tensor {
  float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;       // elements from one row to the next, >= cols
  GradSlot* grad = nullptr;      // null where nothing records
  std::int64_t grad_column = 0;  // first column of this view inside the slot

  float* row(std::int64_t i) const noexcept { return data + i * stride; }
  std::int64_t size() const noexcept { return rows * cols; }
  bool contiguous() const noexcept { return stride == cols; }

  // The columns [begin, begin + count) as a view.
  Tensor columns(std::int64_t begin, std::int64_t count) const {
    SM_CHECK(begin >= 0 && count > 0 && begin + count <= cols,
             "[tensor] columns {}..{} of a matrix of {} columns", begin, begin + count, cols);
    return {data == nullptr ? nullptr : data + begin, rows, count, stride, grad, grad_column + begin};
  }
};

}  // namespace smallmind
