// The shape of a model: what Hugging Face's config.json and GGUF's hyper-parameters say, in one plain struct.
//
// It lives in io so that readers and writers (below the model layer) can speak of it. Two architectures:
//   gpt2   learned positions, LayerNorm, GELU, biases everywhere but in the head; heads == kv_heads, width ==
//   heads * head_width llama  RoPE, RMSNorm, SwiGLU, grouped-query attention; biases only where
//   attention_bias or mlp_bias says so
// Letters: V vocab, D width, L layers, H heads, G kv_heads, K head_width, F ffn, T context.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace smallmind {

enum class Activation : std::uint8_t { gelu_tanh, gelu_erf, silu };

const char* activation_name(Activation activation) noexcept;

struct ModelConfig {
  std::string arch = "gpt2";
  std::int64_t vocab = 0;
  std::int64_t context = 0;
  std::int64_t width = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_width = 0;
  std::int64_t ffn = 0;
  float norm_eps = 1e-5f;
  float rope_theta = 10000.0f;    // llama only
  bool rope_interleaved = false;  // llama only: pairs (2j, 2j + 1) of a head rotate, not (j, j + K/2)
  bool tied = true;               // the head is the token embedding
  bool attention_bias = false;    // llama only: biases of q, k, v and o (gpt2 always has them)
  bool mlp_bias = false;          // llama only: biases of gate, up and down
  Activation activation = Activation::gelu_tanh;
  float dropout = 0.0f;   // gpt2: embeddings, attention weights and residuals alike; llama: attention weights
  std::int32_t bos = -1;  // -1: none
  std::int32_t eos = -1;

  bool operator==(const ModelConfig&) const = default;

  // Throws bad_input, naming the field, unless a model of this shape can be built. After it, no product of
  // sizes that a model needs overflows 64 bits.
  void validate() const;

  // Number of trained floats; a tied head counts once. The config must be valid.
  std::int64_t parameter_count() const noexcept;
};

}  // namespace smallmind
