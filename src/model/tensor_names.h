// How a parameter is called, and laid out, in Hugging Face's files. (Param::name is GGUF's name.)
//
// gpt2 keeps its products as Conv1D: the weight is stored (in, out), the transposed of ours.
#pragma once

#include <string>
#include <string_view>

namespace smallmind {

struct HfName {
  std::string name;         // "transformer.h.0.attn.c_attn.weight", "model.layers.0.self_attn.q_proj.weight"
  bool transposed = false;  // stored as (in, out)
};

// Throws Error{internal} for a parameter that the architecture does not have.
HfName hf_name(std::string_view arch, std::string_view param_name);

}  // namespace smallmind
