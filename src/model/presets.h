// The reference models by name: "small", "medium", "tiny", "gpt2-124m", "llama-15m", "llama-110m",
// "smollm-135m".
#pragma once

#include <string_view>
#include <vector>

#include "io/model_config.h"

namespace smallmind {

// Throws Error{usage}, listing the names, for an unknown one.
ModelConfig preset(std::string_view name);
std::vector<std::string_view> preset_names();

}  // namespace smallmind
