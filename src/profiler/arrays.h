// Arrays for operators that are measured: in one block of huge pages, kept apart, filled.
#pragma once

#include <initializer_list>
#include <vector>

#include "kernels/kernels.h"
#include "tensor/buffer.h"

namespace smallmind {

// Several arrays of floats in one block of huge pages, filled with values in [-0.5, 0.5). Arrays that lie a
// multiple of 4 KiB apart make loads wait for older stores to the same page offset; 19 lines keep them apart.
class Arrays {
 public:
  explicit Arrays(std::initializer_list<Index> floats);
  float* operator[](std::size_t i) const { return begins_[i]; }

 private:
  Buffer memory_;
  std::vector<float*> begins_;
};

}  // namespace smallmind
