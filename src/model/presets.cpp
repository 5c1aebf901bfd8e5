// Shapes of the reference models; parameter counts are checked by tests.
#include "model/presets.h"

#include <string>

#include "base/error.h"

namespace smallmind {
namespace {

struct Shape {
  const char* name;
  const char* arch;
  std::int64_t vocab, context, width, layers, heads, kv_heads, ffn;
  bool tied;
};

constexpr Shape kPresets[] = {
    {"tiny", "gpt2", 50, 32, 64, 2, 4, 4, 256, false},
    {"small", "gpt2", 256, 64, 128, 2, 4, 4, 512, false},
    {"medium", "gpt2", 512, 128, 256, 4, 8, 8, 1024, false},
    {"gpt2-124m", "gpt2", 50257, 1024, 768, 12, 12, 12, 3072, true},
    {"llama-15m", "llama", 32000, 256, 288, 6, 6, 6, 768, true},
    {"llama-110m", "llama", 32000, 1024, 768, 12, 12, 12, 2048, true},
    {"smollm-135m", "llama", 49152, 2048, 576, 30, 9, 3, 1536, true},
};

}  // namespace

ModelConfig preset(std::string_view name) {
  std::string known;
  for (const Shape& shape : kPresets) {
    if (name != shape.name) {
      known += (known.empty() ? "" : ", ") + std::string(shape.name);
      continue;
    }
    ModelConfig config;
    config.arch = shape.arch;
    config.vocab = shape.vocab;
    config.context = shape.context;
    config.width = shape.width;
    config.layers = shape.layers;
    config.heads = shape.heads;
    config.kv_heads = shape.kv_heads;
    config.head_width = shape.width / shape.heads;
    config.ffn = shape.ffn;
    config.tied = shape.tied;
    config.activation = config.arch == "gpt2" ? Activation::gelu_tanh : Activation::silu;
    return config;
  }
  fail_usage("[preset] one of {} expected, \"{}\" given", known, name);
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const Shape& shape : kPresets) names.emplace_back(shape.name);
  return names;
}

}  // namespace smallmind
