// Param: one weight of a model, as declared by the model's visit(): a matrix (rows, cols), or a vector with
// rows == 1.
//
// A Linear weight is (out, in). The memory belongs to the ParameterBlock (training: values and gradients are
// one contiguous block each, in visit order) or to the packed copy that inference uses; a Param only points.
#pragma once

#include <cstdint>
#include <string>

#include "nn/panels.h"

namespace smallmind {

// How a fresh weight starts: the normal distribution with this standard deviation, or a constant.
struct Init {
  enum class Kind : std::uint8_t { normal, constant } kind = Kind::constant;
  float value = 0;  // standard deviation or constant

  static Init normal(float deviation) { return {Kind::normal, deviation}; }
  static Init zero() { return {}; }
  static Init one() { return {Kind::constant, 1.0f}; }
};

struct Param {
  std::string name;  // GGUF's, e.g. "blk.0.attn_q.weight"
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  Init init{};
  float* data = nullptr;  // (rows, cols)
  float* grad = nullptr;  // (rows, cols); null where nothing trains it
  Panels panels{};        // W^T packed for products, in a type of its own; null where `data` is used

  std::int64_t size() const noexcept { return rows * cols; }
  bool is_matrix() const noexcept { return rows > 1; }  // matrices decay, vectors (norms, biases) do not
  bool exists() const noexcept { return cols > 0; }     // biases may be absent
};

}  // namespace smallmind
