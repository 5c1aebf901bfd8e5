// Panels: a matrix B(k, n) packed for products (nn/matmul.h), stored as f32, f16 or bf16; it only points.
//
// The layout belongs to the kernel table: panels of panel_width columns, [panel][k][panel_width], the last
// one padded with zeros. A weight (out, in) is packed as W^T: k = in, n = out.
#pragma once

#include "tensor/dtype.h"

namespace smallmind {

struct Panels {
  const void* data = nullptr;
  DType type = DType::f32;

  explicit operator bool() const noexcept { return data != nullptr; }
};

}  // namespace smallmind
