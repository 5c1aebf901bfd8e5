// Checks and counts of a model's shape. The limits are far above any model that a CPU runs, and low enough
// that products of three sizes stay under 2^63; a file that asks for more is broken or hostile.
#include "io/model_config.h"

#include <cmath>

#include "base/error.h"

namespace smallmind {
namespace {

constexpr std::int64_t kMaxVocab = std::int64_t{1} << 24;
constexpr std::int64_t kMaxContext = std::int64_t{1} << 24;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxFfn = std::int64_t{1} << 24;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxParameters = std::int64_t{1} << 40;

void check_range(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high)
    fail_input("[config] {} from {} to {} expected, {} found", name, low, high, value);
}

void check_heads(const ModelConfig& c) {
  check_range("heads", c.heads, 1, kMaxWidth);
  check_range("kv_heads", c.kv_heads, 1, c.heads);
  check_range("head_width", c.head_width, 1, kMaxWidth);
  if (c.heads % c.kv_heads != 0) {
    fail_input("[config] kv_heads that divide heads expected, {} kv_heads and {} heads found", c.kv_heads,
               c.heads);
  }
  check_range("heads * head_width", c.heads * c.head_width, 1, kMaxWidth);
}

void check_gpt2(const ModelConfig& c) {
  if (c.kv_heads != c.heads) {
    fail_input("[config] gpt2 with kv_heads == heads expected, {} and {} found", c.kv_heads, c.heads);
  }
  if (c.heads * c.head_width != c.width) {
    fail_input("[config] gpt2 with width == heads * head_width expected, {} and {} * {} found", c.width,
               c.heads, c.head_width);
  }
  if (c.activation == Activation::silu) fail_input("[config] gpt2 with a GELU expected, silu found");
}

void check_llama(const ModelConfig& c) {
  if (c.head_width % 2 != 0) {
    fail_input("[config] an even head_width expected (RoPE rotates pairs), {} found", c.head_width);
  }
  if (!std::isfinite(c.rope_theta) || c.rope_theta <= 0.0f) {
    fail_input("[config] a finite rope_theta above 0 expected, {} found", c.rope_theta);
  }
  if (c.activation != Activation::silu) {
    fail_input("[config] llama with silu expected, {} found", activation_name(c.activation));
  }
}

}  // namespace

const char* activation_name(Activation activation) noexcept {
  switch (activation) {
    case Activation::gelu_tanh:
      return "gelu_tanh";
    case Activation::gelu_erf:
      return "gelu_erf";
    case Activation::silu:
      return "silu";
  }
  return "?";
}

void ModelConfig::validate() const {
  if (arch != "gpt2" && arch != "llama")
    fail_input("[config] architecture gpt2 or llama expected, \"{}\" found", arch);
  check_range("vocab", vocab, 1, kMaxVocab);
  check_range("context", context, 1, kMaxContext);
  check_range("width", width, 1, kMaxWidth);
  check_range("layers", layers, 1, kMaxLayers);
  check_range("ffn", ffn, 1, kMaxFfn);
  check_heads(*this);
  if (!std::isfinite(norm_eps) || norm_eps <= 0.0f || norm_eps >= 1.0f) {
    fail_input("[config] norm_eps between 0 and 1 expected, {} found", norm_eps);
  }
  if (!(dropout >= 0.0f && dropout < 1.0f))
    fail_input("[config] dropout from 0 to below 1 expected, {} found", dropout);
  check_range("bos", bos, -1, vocab - 1);
  check_range("eos", eos, -1, vocab - 1);
  if (arch == "gpt2") check_gpt2(*this);
  if (arch == "llama") check_llama(*this);
  check_range("parameters", parameter_count(), 1, kMaxParameters);
}

std::int64_t ModelConfig::parameter_count() const noexcept {
  const std::int64_t q_width = heads * head_width;
  const std::int64_t kv_width = kv_heads * head_width;
  const std::int64_t embedding = vocab * width;
  const std::int64_t head = tied ? 0 : embedding;
  const std::int64_t attention = width * (q_width + 2 * kv_width) + q_width * width;
  const std::int64_t attention_biases = q_width + 2 * kv_width + width;
  if (arch == "gpt2") {
    const std::int64_t mlp = 2 * width * ffn + ffn + width;
    const std::int64_t norms = 4 * width;
    return embedding + head + context * width + layers * (attention + attention_biases + mlp + norms) +
           2 * width;
  }
  std::int64_t layer = attention + 3 * width * ffn + 2 * width;
  if (attention_bias) layer += attention_biases;
  if (mlp_bias) layer += 2 * ffn + width;
  return embedding + head + layers * layer + width;
}

}  // namespace smallmind
