// The list of differentiable ops, and what each costs.
//
// An op belongs here if Exec may run it as one. The gradient check walks this list and fails where an op has
// no case. FLOPs and bytes are declared once, here, and used by tests, benchmarks and the profiler alike: a
// multiply-add is 2 FLOPs, a transcendental 1; bytes are the compulsory traffic of operands and results, each
// counted once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace smallmind {

enum class Op : std::uint8_t {
  embedding,
  linear,
  linear_gelu,
  linear_add,
  norm_linear,
  norm_linear_gelu,
  add,
  layer_norm,
  rms_norm,
  add_layer_norm,
  add_rms_norm,
  gelu,
  swiglu,
  rope,
  attention,
  dropout,
  cross_entropy,
  linear_cross_entropy,
};

inline constexpr std::array<const char*, 18> kOpNames = {
    "embedding", "linear",     "linear_gelu", "linear_add",     "norm_linear",   "norm_linear_gelu",
    "add",       "layer_norm", "rms_norm",    "add_layer_norm", "add_rms_norm",  "gelu",
    "swiglu",    "rope",       "attention",   "dropout",        "cross_entropy", "linear_cross_entropy"};
inline constexpr std::size_t kOpCount = kOpNames.size();
static_assert(static_cast<std::size_t>(Op::linear_cross_entropy) + 1 == kOpCount);

constexpr const char* op_name(Op op) noexcept {
  return kOpNames[static_cast<std::size_t>(op)];
}

struct OpCost {
  std::int64_t flops = 0;
  std::int64_t bytes = 0;
  std::array<std::int32_t, 3> shape{};  // for the profiler: (m, n, k), (elements) or (rows, keys, width)
};

constexpr std::array<std::int32_t, 3> op_shape(std::int64_t a, std::int64_t b = 0,
                                               std::int64_t c = 0) noexcept {
  return {static_cast<std::int32_t>(a), static_cast<std::int32_t>(b), static_cast<std::int32_t>(c)};
}

// y(m, n) = x(m, k) W(n, k)^T, a weight being of so many bytes.
constexpr OpCost product_cost(std::int64_t m, std::int64_t n, std::int64_t k,
                              std::int64_t weight_bytes = 4) noexcept {
  return {2 * m * n * k, 4 * (m * k + m * n) + weight_bytes * n * k, op_shape(m, n, k)};
}

// An elementwise op over n elements with so many FLOPs, reads and writes per element.
constexpr OpCost elementwise_cost(std::int64_t n, std::int64_t flops, std::int64_t streams) noexcept {
  return {n * flops, n * 4 * streams, op_shape(n)};
}

// What an activation fused into the product that makes its operand adds: it reads nothing, and writes a
// stream of its own only if the operand is kept. A fused addition reads one stream, a norm of what the
// product reads none.
inline constexpr std::int64_t kGeluFlops = 9, kGeluBackwardFlops = 18;
inline constexpr std::int64_t kLayerNormFlops = 8, kRmsNormFlops = 4;
constexpr OpCost fused_gelu_cost(std::int64_t n, bool kept) noexcept {
  return elementwise_cost(n, kGeluFlops, kept ? 1 : 0);
}
constexpr OpCost fused_add_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, 1, 1);
}
constexpr OpCost fused_norm_cost(std::int64_t n, std::int64_t flops) noexcept {
  return elementwise_cost(n, flops, 0);
}

// Causal attention of one query head: `pairs` (query, key) pairs that the mask leaves, 4 K FLOPs each (scores
// and mix).
constexpr OpCost attention_cost(std::int64_t pairs, std::int64_t rows, std::int64_t keys,
                                std::int64_t head_width) noexcept {
  return {pairs * 4 * head_width, 4 * head_width * (2 * rows + 2 * keys), op_shape(rows, keys, head_width)};
}

// Five products per pair where forward has two: scores again, dP, dV, dQ, dK.
constexpr OpCost attention_backward_cost(OpCost forward) noexcept {
  return {forward.flops * 5 / 2, forward.bytes * 2, forward.shape};
}

// Elementwise and row ops over n elements.
constexpr OpCost add_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, 1, 3);
}
constexpr OpCost relu_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, 1, 2);
}
constexpr OpCost gelu_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, kGeluFlops, 2);
}
constexpr OpCost softmax_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, 5, 2);
}
constexpr OpCost layer_norm_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, kLayerNormFlops, 2);
}
constexpr OpCost rms_norm_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, kRmsNormFlops, 2);
}
constexpr OpCost dot_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, 2, 2);
}
// Reads parameter, gradient and both moments, writes three of them back.
constexpr OpCost adamw_cost(std::int64_t n) noexcept {
  return elementwise_cost(n, 15, 7);
}

// The shape is the first one's.
constexpr OpCost operator+(OpCost a, OpCost b) noexcept {
  return {a.flops + b.flops, a.bytes + b.bytes, a.shape};
}
constexpr OpCost operator*(std::int64_t times, OpCost a) noexcept {
  return {times * a.flops, times * a.bytes, a.shape};
}

}  // namespace smallmind
