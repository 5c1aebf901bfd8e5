// What the files of architectures share: how a parameter is declared, the projection into the residual
// stream, and the register of architectures.
//
// The build lists arch/*.cpp: a file NAME.cpp defines `std::unique_ptr<Model> make_NAME(const ModelConfig&)`.
#pragma once

#include <memory>
#include <string>

#include "model/model.h"
#include "nn/ops.h"

namespace smallmind {

struct Architecture {
  const char* name;
  std::unique_ptr<Model> (*make)(const ModelConfig& config);
};

inline Param matrix(std::string name, std::int64_t rows, std::int64_t cols, float deviation) {
  return {.name = std::move(name), .rows = rows, .cols = cols, .init = Init::normal(deviation)};
}

inline Param vector(std::string name, std::int64_t cols, Init init) {
  return {.name = std::move(name), .rows = 1, .cols = cols, .init = init};
}

inline std::string block(std::int64_t layer, const char* name) {
  return "blk." + std::to_string(layer) + "." + name;
}

// h + dropout(x W^T + b), in place in h when nothing records.
inline Tensor add_projection(Exec& ex, const Tensor& h, const Tensor& x, const Param& weight,
                             const Param& bias, float p) {
  if (p == 0.0f) return linear_add(ex, x, weight, bias, h);
  return add(ex, h, dropout(ex, linear(ex, x, weight, bias), p));
}

}  // namespace smallmind
