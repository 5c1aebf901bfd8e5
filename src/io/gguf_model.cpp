// llama.cpp's conventions, from its loader (llama-arch, llama-vocab, models/gpt2 and models/llama).
#include "io/gguf_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "io/gguf_writer.h"

namespace smallmind {
namespace {

std::uint32_t u32(std::int64_t value) {
  return static_cast<std::uint32_t>(value);
}

// general.file_type: what most of the file's weights are.
std::uint32_t file_type(DType type) {
  switch (type) {
    case DType::f32:
      return 0;
    case DType::f16:
      return 1;
    case DType::bf16:
      return 32;
    default:
      fail_usage("[gguf] a file of F32, F16 or BF16 expected, {} asked for", dtype_name(type));
  }
}

void add_shape(GgufMetadata& out, const ModelConfig& c) {
  const auto add = [&](const char* key, GgufValue value) {
    out.emplace_back(c.arch + "." + key, std::move(value));
  };
  add("vocab_size", u32(c.vocab));
  add("context_length", u32(c.context));
  add("embedding_length", u32(c.width));
  add("block_count", u32(c.layers));
  add("feed_forward_length", u32(c.ffn));
  add("attention.head_count", u32(c.heads));
  add("attention.head_count_kv", u32(c.kv_heads));
  if (c.arch == "gpt2") {
    add("attention.layer_norm_epsilon", c.norm_eps);
    return;
  }
  add("attention.key_length", u32(c.head_width));
  add("attention.value_length", u32(c.head_width));
  add("attention.layer_norm_rms_epsilon", c.norm_eps);
  add("rope.dimension_count", u32(c.head_width));
  add("rope.freq_base", c.rope_theta);
}

void add_vocabulary(GgufMetadata& out, const ModelConfig& c, const GgufVocabulary& vocabulary) {
  SM_CHECK(vocabulary.types.size() == vocabulary.tokens.size(), "[gguf] {} token types expected, {} given",
           vocabulary.tokens.size(), vocabulary.types.size());
  const auto rows = static_cast<std::size_t>(c.vocab);
  if (vocabulary.tokens.size() > rows)
    fail_input("[gguf] at most {} tokens (rows of the embedding) expected, {} found", rows,
               vocabulary.tokens.size());
  std::vector<std::string> tokens = vocabulary.tokens;
  std::vector<std::int32_t> types;
  for (const GgufToken type : vocabulary.types) types.push_back(static_cast<std::int32_t>(type));
  while (tokens.size() < rows) {
    tokens.push_back(fmt::format("[PAD{}]", tokens.size()));
    types.push_back(static_cast<std::int32_t>(GgufToken::unused));
  }
  out.emplace_back("tokenizer.ggml.model", "gpt2");
  out.emplace_back("tokenizer.ggml.pre", vocabulary.pre);
  out.emplace_back("tokenizer.ggml.tokens", gguf_array(std::move(tokens)));
  out.emplace_back("tokenizer.ggml.token_type", gguf_array(types));
  out.emplace_back("tokenizer.ggml.merges",
                   gguf_array(vocabulary.merges));  // llama.cpp refuses a file without the key
  if (c.bos >= 0) out.emplace_back("tokenizer.ggml.bos_token_id", u32(c.bos));
  if (c.eos >= 0) out.emplace_back("tokenizer.ggml.eos_token_id", u32(c.eos));
  out.emplace_back("tokenizer.ggml.add_bos_token", false);
  out.emplace_back("tokenizer.ggml.add_eos_token", false);
}

// Row h*K + 2i + s of the result is row h*K + s*K/2 + i of the given tensor: halves become neighbours.
TensorToWrite interleaved_halves(TensorToWrite tensor, std::int64_t head_width) {
  const std::int64_t columns = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
  tensor.fill = [inner = std::move(tensor.fill), columns, head_width](std::int64_t first,
                                                                      std::span<float> out) {
    while (!out.empty()) {
      const std::int64_t row = first / columns;
      const std::int64_t column = first % columns;
      const std::int64_t in_head = row % head_width;
      const std::int64_t source = row - in_head + in_head % 2 * (head_width / 2) + in_head / 2;
      const auto count = std::min(out.size(), static_cast<std::size_t>(columns - column));
      inner(source * columns + column, out.first(count));
      out = out.subspan(count);
      first += static_cast<std::int64_t>(count);
    }
  };
  return tensor;
}

bool is_rotated(const std::string& name) {
  return name.find("attn_q.") != std::string::npos || name.find("attn_k.") != std::string::npos;
}

bool stays_f32(const GgufTensorShape& tensor) {
  return tensor.shape.size() == 1 || tensor.name == "position_embd.weight";
}

void add_gpt2_block(std::vector<GgufTensorShape>& out, const ModelConfig& c, const std::string& block) {
  const auto linear = [&](const char* name, std::int64_t rows, std::int64_t columns) {
    out.push_back({block + name + ".weight", {rows, columns}});
    out.push_back({block + name + ".bias", {rows}});
  };
  const auto norm = [&](const char* name) {
    out.push_back({block + name + ".weight", {c.width}});
    out.push_back({block + name + ".bias", {c.width}});
  };
  norm("attn_norm");
  linear("attn_qkv", 3 * c.width, c.width);
  linear("attn_output", c.width, c.width);
  norm("ffn_norm");
  linear("ffn_up", c.ffn, c.width);
  linear("ffn_down", c.width, c.ffn);
}

void add_llama_block(std::vector<GgufTensorShape>& out, const ModelConfig& c, const std::string& block) {
  const auto linear = [&](const char* name, std::int64_t rows, std::int64_t columns, bool bias) {
    out.push_back({block + name + ".weight", {rows, columns}});
    if (bias) out.push_back({block + name + ".bias", {rows}});
  };
  const std::int64_t q_width = c.heads * c.head_width;
  const std::int64_t kv_width = c.kv_heads * c.head_width;
  out.push_back({block + "attn_norm.weight", {c.width}});
  linear("attn_q", q_width, c.width, c.attention_bias);
  linear("attn_k", kv_width, c.width, c.attention_bias);
  linear("attn_v", kv_width, c.width, c.attention_bias);
  linear("attn_output", c.width, q_width, c.attention_bias);
  out.push_back({block + "ffn_norm.weight", {c.width}});
  linear("ffn_gate", c.ffn, c.width, c.mlp_bias);
  linear("ffn_up", c.ffn, c.width, c.mlp_bias);
  linear("ffn_down", c.width, c.ffn, c.mlp_bias);
}

// The given tensors in the file's order, with the file's types and layouts.
std::vector<TensorToWrite> arranged(const ModelConfig& config, std::vector<TensorToWrite> given, DType type) {
  std::map<std::string, TensorToWrite> by_name;
  for (TensorToWrite& tensor : given) by_name.insert_or_assign(tensor.name, std::move(tensor));
  const std::vector<GgufTensorShape> expected = gguf_tensor_shapes(config);
  SM_CHECK(by_name.size() == expected.size() && given.size() == expected.size(),
           "[gguf] {} tensors expected, {} given", expected.size(), given.size());
  std::vector<TensorToWrite> out;
  for (const GgufTensorShape& tensor : expected) {
    const auto at = by_name.find(tensor.name);
    SM_CHECK(at != by_name.end(), "[gguf] a tensor {} expected, none given", tensor.name);
    SM_CHECK(at->second.shape == tensor.shape,
             "[gguf] tensor {} of {} elements expected, another shape given", tensor.name,
             fmt::join(tensor.shape, " x "));
    TensorToWrite& source = at->second;
    source.type = stays_f32(tensor) ? DType::f32 : type;
    const bool halves = config.arch == "llama" && !config.rope_interleaved && is_rotated(tensor.name);
    out.push_back(halves ? interleaved_halves(std::move(source), config.head_width) : std::move(source));
  }
  return out;
}

}  // namespace

std::vector<GgufTensorShape> gguf_tensor_shapes(const ModelConfig& c) {
  std::vector<GgufTensorShape> out{{"token_embd.weight", {c.vocab, c.width}}};
  if (c.arch == "gpt2") out.push_back({"position_embd.weight", {c.context, c.width}});
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string block = fmt::format("blk.{}.", layer);
    c.arch == "gpt2" ? add_gpt2_block(out, c, block) : add_llama_block(out, c, block);
  }
  out.push_back({"output_norm.weight", {c.width}});
  if (c.arch == "gpt2") out.push_back({"output_norm.bias", {c.width}});
  if (!c.tied) out.push_back({"output.weight", {c.vocab, c.width}});
  return out;
}

GgufMetadata gguf_model_metadata(const ModelConfig& config, const std::string& name,
                                 const GgufVocabulary& vocabulary, DType type) {
  config.validate();
  if (config.activation == Activation::gelu_erf) {
    fail_input("[gguf] gpt2 with gelu_tanh expected (llama.cpp computes no other), gelu_erf found");
  }
  GgufMetadata out;
  out.emplace_back("general.architecture", config.arch);
  out.emplace_back("general.type", "model");
  out.emplace_back("general.name", name);
  out.emplace_back("general.file_type", file_type(type));
  out.emplace_back("general.alignment", kGgufDefaultAlignment);
  add_shape(out, config);
  add_vocabulary(out, config, vocabulary);
  return out;
}

void write_gguf_model(const ByteSink& sink, const ModelConfig& config, const std::string& name,
                      const GgufVocabulary& vocabulary, std::vector<TensorToWrite> tensors, DType type) {
  const GgufMetadata metadata = gguf_model_metadata(config, name, vocabulary, type);
  write_gguf(sink, metadata, arranged(config, std::move(tensors), type));
}

void write_gguf_model(const std::filesystem::path& path, const ModelConfig& config, const std::string& name,
                      const GgufVocabulary& vocabulary, std::vector<TensorToWrite> tensors, DType type) {
  const GgufMetadata metadata = gguf_model_metadata(config, name, vocabulary, type);
  write_gguf(path, metadata, arranged(config, std::move(tensors), type));
}

}  // namespace smallmind
