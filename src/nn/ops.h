// Every differentiable op of SmallMind on one page: signature, formula, shapes.
//
// All ops take and return f32 matrices with N = B*T rows (see tensor.h). While `ex` records, results are
// fresh and their backward is on the tape; otherwise residual additions, RoPE and dropout work in place. Ops
// partition work over ex.pool() such that no result depends on the number of threads. Shapes that do not fit
// throw Error{internal}. Each op lives in ops/<op>.cpp, forward and backward side by side.
#pragma once

#include <cstdint>
#include <span>

#include "nn/exec.h"
#include "nn/kv_cache.h"
#include "nn/param.h"
#include "nn/rope_table.h"
#include "nn/token_batch.h"

namespace smallmind {

enum class GeluForm : std::uint8_t { tanh, erf };

// h[i] = table[token[i]] + positions[position[i]]: tokens (V, D), learned positions (T, D) or absent, (N, D).
// A token or a position outside of its table is an Error{usage}.
Tensor embedding(Exec& ex, const Param& table, const Param& positions, const TokenBatch& batch);
Tensor embedding(Exec& ex, const Param& table, const TokenBatch& batch);

// y = x W^T + b: (N, in) -> (N, out), W (out, in), b (out) or absent.
Tensor linear(Exec& ex, const Tensor& x, const Param& weight, const Param& bias);
Tensor linear(Exec& ex, const Tensor& x, const Param& weight);

// gelu(x W^T + b) in one pass; while recording, what GELU was applied to is kept.
Tensor linear_gelu(Exec& ex, const Tensor& x, const Param& weight, const Param& bias, GeluForm form);

// x W^T + b + residual, (N, out). In place in `residual` when nothing records.
Tensor linear_add(Exec& ex, const Tensor& x, const Param& weight, const Param& bias, const Tensor& residual);

// layer_norm or rms_norm, below, with its parameters.
struct Norm {
  const Param& weight;
  const Param* bias;  // null: RMSNorm
  float eps;
};
Tensor norm(Exec& ex, const Tensor& x, const Norm& norm);

// linear and linear_gelu of norm(x). A few rows of x are normed in the product's own region where nothing
// records and the weight is packed; else these are two ops.
Tensor norm_linear(Exec& ex, const Tensor& x, const Norm& norm, const Param& weight, const Param& bias);
Tensor norm_linear(Exec& ex, const Tensor& x, const Norm& norm, const Param& weight);
Tensor norm_linear_gelu(Exec& ex, const Tensor& x, const Norm& norm, const Param& weight, const Param& bias,
                        GeluForm form);

// a + b, same shapes. In place in `a` when nothing records: the residual stream.
Tensor add(Exec& ex, const Tensor& a, const Tensor& b);

// (x - mean) / sqrt(var + eps) * w + b over each row. Ba, Kiros, Hinton 2016.
Tensor layer_norm(Exec& ex, const Tensor& x, const Param& weight, const Param& bias, float eps);

// x / sqrt(mean(x^2) + eps) * w over each row. Zhang, Sennrich 2019.
Tensor rms_norm(Exec& ex, const Tensor& x, const Param& weight, float eps);

// sum = a + b and normed = the norm of the sum, in one pass. The sum is in place in `a` when nothing records.
struct ResidualNorm {
  Tensor sum, normed;
};
ResidualNorm add_layer_norm(Exec& ex, const Tensor& a, const Tensor& b, const Param& weight,
                            const Param& bias, float eps);
ResidualNorm add_rms_norm(Exec& ex, const Tensor& a, const Tensor& b, const Param& weight, float eps);

// x Phi(x): exactly (erf), or by the tanh form of GPT-2. Hendrycks, Gimpel 2016.
Tensor gelu(Exec& ex, const Tensor& x, GeluForm form);

// silu(gate) * up. Shazeer 2020.
Tensor swiglu(Exec& ex, const Tensor& gate, const Tensor& up);

// Rotary positions: rotates the j-th pair of each head by position * theta^(-2j/K), where the table says
// whether that is (j, j + K/2) or (2j, 2j + 1). Su et al. 2021. x (N, heads*K).
Tensor rope(Exec& ex, const Tensor& x, const RopeTable& table, std::int64_t heads, const TokenBatch& batch);

// softmax(q k^T / sqrt(K) + causal mask) v within each sequence. q (N, H*K), k and v (N, G*K), G divides H;
// head h reads kv head h / (H/G). With a window W, position p sees the keys p - W + 1 .. p only; with a
// soft-cap c, a score s counts as c tanh(s / c). With a cache, keys and values are appended to it and all its
// positions are seen; recording together with a cache is an error. Online softmax, O(N) memory. Dao et al.
// 2022; windows: Beltagy et al. 2020; soft-capping: Gemma Team 2024.
struct AttentionShape {
  std::int64_t heads, kv_heads, head_width;
  std::int64_t window = 0;  // 0: none
  float soft_cap = 0;       // 0: none
};
Tensor attention(Exec& ex, const Tensor& q, const Tensor& k, const Tensor& v, const AttentionShape& shape,
                 const TokenBatch& batch, KvCache* cache, std::int64_t layer);

// Each element survives with probability 1 - p and is scaled by 1 / (1 - p); p == 0 returns x itself.
// Draws are keyed by (seed, step, site, element): the same under recompute, resume and any thread count.
Tensor dropout(Exec& ex, const Tensor& x, float p);

// Mean over the rows with target >= 0 of -log softmax(logits)[target], as a (1, 1) tensor. logits (N, V),
// targets (N). No target at all gives 0.
Tensor cross_entropy(Exec& ex, const Tensor& logits, std::span<const std::int32_t> targets);

// A loss whose value may not be there yet.
class Loss {
 public:
  explicit Loss(const Tensor& output) noexcept : output_(output) {}
  // (1, 1): what Exec::backward() begins with.
  const Tensor& output() const noexcept { return output_; }
  // Throws Error{internal} where nothing has computed it: in a dry run, and while recording until
  // Exec::backward() has run.
  float value() const;

 private:
  Tensor output_;
};

// cross_entropy(linear(h, weight), targets) whose logits (N, V) never exist: h (N, D), weight (V, D). Memory
// of a few hundred rows of logits. While recording, one pass over the vocabulary makes the loss and both
// gradients, and that pass is the backward one: the loss has its value from then on.
Loss linear_cross_entropy(Exec& ex, const Tensor& h, const Param& weight,
                          std::span<const std::int32_t> targets);

}  // namespace smallmind
