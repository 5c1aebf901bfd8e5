// What a model file or directory holds, without loading its values: for `smallmind inspect`.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/model_config.h"
#include "tensor/dtype.h"

namespace smallmind {

struct TensorSummary {
  std::string name;
  DType type = DType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;
};

struct ModelSummary {
  std::string path;    // of the directory or file that was read
  std::string format;  // "directory", "safetensors" or "gguf"
  std::optional<ModelConfig>
      config;             // absent for a safetensors file alone, and for architectures that we do not know
  std::string tokenizer;  // "char, 66 tokens"; empty if there is none
  std::map<std::string, std::string> metadata;
  std::vector<TensorSummary> tensors;
  std::int64_t elements = 0;  // of all tensors
  std::uint64_t bytes = 0;
};

// path: a training run, a model directory, a .safetensors or a .gguf file. Throws bad_input.
ModelSummary summarise_model(const std::filesystem::path& path);

std::string summary_text(const ModelSummary& summary);
std::string summary_json(const ModelSummary& summary);

}  // namespace smallmind
