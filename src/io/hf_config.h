// Hugging Face's config.json and generation_config.json, to and from ModelConfig.
//
// Read strictly: a field of the wrong type, a size out of range, and every option that changes the model's
// formula and that is not computed here (scaled RoPE, layer-scaled attention, partial rotary, cross
// attention) is refused by name, since ignoring it would give wrong text without a word. Unknown other fields
// are ignored.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "io/model_config.h"

namespace smallmind {

// What decoding uses unless the user says otherwise.
struct GenerationDefaults {
  bool sample = true;
  float temperature = 1.0f;
  std::int32_t top_k = 0;  // 0: off
  float top_p = 1.0f;
};

// Parses and validates. where: the file's name for error texts. Throws bad_input.
ModelConfig parse_hf_config(std::string_view json, std::string_view where);

// Reads DIR/config.json. Throws bad_input.
ModelConfig read_hf_config(const std::filesystem::path& directory);

// The text of config.json that Transformers' GPT2LMHeadModel or LlamaForCausalLM loads. Throws bad_input if
// the config is not valid. Parsing it gives the same config back.
std::string hf_config_json(const ModelConfig& config);

// The number with the fewest digits that reads back as the same float: 1e-05, where (double)1e-5f would be
// written as 9.999999747378752e-06.
double shortest_decimal(float value);

// The text of generation_config.json.
std::string generation_config_json(const ModelConfig& config, const GenerationDefaults& defaults);

}  // namespace smallmind
