// The table of names; see tensor_names.h.
#include "model/tensor_names.h"

#include "base/error.h"

namespace smallmind {
namespace {

struct Row {
  const char* arch;
  const char* ours;  // "blk.*" names stand without "blk.N."
  const char* theirs;
  bool transposed;
};

constexpr Row kNames[] = {
    {"gpt2", "token_embd", "transformer.wte", false},
    {"gpt2", "position_embd", "transformer.wpe", false},
    {"gpt2", "attn_norm", "ln_1", false},
    {"gpt2", "attn_qkv", "attn.c_attn", true},
    {"gpt2", "attn_output", "attn.c_proj", true},
    {"gpt2", "ffn_norm", "ln_2", false},
    {"gpt2", "ffn_up", "mlp.c_fc", true},
    {"gpt2", "ffn_down", "mlp.c_proj", true},
    {"gpt2", "output_norm", "transformer.ln_f", false},
    {"gpt2", "output", "lm_head", false},
    {"llama", "token_embd", "model.embed_tokens", false},
    {"llama", "attn_norm", "input_layernorm", false},
    {"llama", "attn_q", "self_attn.q_proj", false},
    {"llama", "attn_k", "self_attn.k_proj", false},
    {"llama", "attn_v", "self_attn.v_proj", false},
    {"llama", "attn_output", "self_attn.o_proj", false},
    {"llama", "ffn_norm", "post_attention_layernorm", false},
    {"llama", "ffn_gate", "mlp.gate_proj", false},
    {"llama", "ffn_up", "mlp.up_proj", false},
    {"llama", "ffn_down", "mlp.down_proj", false},
    {"llama", "output_norm", "model.norm", false},
    {"llama", "output", "lm_head", false},
};

}  // namespace

HfName hf_name(std::string_view arch, std::string_view param_name) {
  const std::size_t dot = param_name.rfind('.');
  SM_CHECK(dot != std::string_view::npos, "[names] NAME.weight or NAME.bias expected, \"{}\" given",
           param_name);
  const std::string_view kind = param_name.substr(dot + 1);
  std::string_view stem = param_name.substr(0, dot);
  std::string layer;
  if (stem.starts_with("blk.")) {
    const std::size_t end = stem.find('.', 4);
    SM_CHECK(end != std::string_view::npos, "[names] blk.N.NAME expected, \"{}\" given", param_name);
    layer = std::string(arch == "gpt2" ? "transformer.h." : "model.layers.") +
            std::string(stem.substr(4, end - 4)) + ".";
    stem = stem.substr(end + 1);
  }
  for (const Row& row : kNames)
    if (arch == row.arch && stem == row.ours)
      return {layer + row.theirs + "." + std::string(kind), row.transposed && kind == "weight"};
  fail(ErrorCode::internal, "[names] a parameter of {} expected, \"{}\" given", arch, param_name);
}

}  // namespace smallmind
