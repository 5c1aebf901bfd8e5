// Small untrained models for tests: every shape that decides a code path, and milliseconds to run.
#pragma once

#include <memory>

#include "model/model.h"

namespace smallmind {

// 3 layers, 4 heads, K = 12, V = 61, context 48. kv_heads 4, 2 or 1 (gpt2: 4). Weights are larger than usual,
// so that attention and logits are far from uniform.
inline ModelConfig tiny_config(const char* arch, std::int64_t kv_heads = 4, bool tied = true) {
  ModelConfig c;
  c.arch = arch;
  c.vocab = 61;
  c.context = 48;
  c.width = 48;
  c.layers = 3;
  c.heads = 4;
  c.kv_heads = kv_heads;
  c.head_width = 12;
  c.ffn = 100;
  c.tied = tied;
  c.activation = c.arch == "gpt2" ? Activation::gelu_tanh : Activation::silu;
  return c;
}

inline std::unique_ptr<Model> tiny_model(const ModelConfig& config, std::uint64_t seed = 1) {
  std::unique_ptr<Model> model = make_model(config);
  model->allocate(false);
  model->initialise(seed);
  for (float& value : model->values()) value *= 4.0f;
  return model;
}

}  // namespace smallmind
