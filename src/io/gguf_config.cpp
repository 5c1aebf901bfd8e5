// Hyper-parameters from GGUF keys: architecture.key, each of its type and in range.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "io/gguf_reader.h"

namespace smallmind {
namespace {

class Keys {
 public:
  Keys(const GgufMetadata& metadata, std::string prefix, std::string_view where)
      : metadata_(metadata), prefix_(std::move(prefix)), where_(where) {}

  std::int64_t integer(const std::string& name) const {
    const GgufValue* value = gguf_find(metadata_, prefix_ + name);
    if (value == nullptr) fail_input("[gguf] a key {}{} expected, none found ({})", prefix_, name, where_);
    return whole(name, *value);
  }

  std::int64_t integer(const std::string& name, std::int64_t otherwise) const {
    const GgufValue* value = gguf_find(metadata_, prefix_ + name);
    return value == nullptr ? otherwise : whole(name, *value);
  }

  float real(const std::string& name, float otherwise) const {
    const GgufValue* value = gguf_find(metadata_, prefix_ + name);
    if (value == nullptr) return otherwise;
    if (!std::holds_alternative<float>(*value)) refuse(name, *value, "a value of type f32");
    return std::get<float>(*value);
  }

 private:
  [[noreturn]] void refuse(const std::string& name, const GgufValue& value, const char* expected) const {
    fail_input("[gguf] {}{}: {} expected, {} {} found ({})", prefix_, name, expected,
               gguf_type_name(gguf_type(value)), gguf_text(value), where_);
  }

  std::int64_t whole(const std::string& name, const GgufValue& value) const {
    if (const auto* u = std::get_if<std::uint32_t>(&value)) return *u;
    if (const auto* i = std::get_if<std::int32_t>(&value)) return *i;
    if (const auto* u = std::get_if<std::uint64_t>(&value)) {
      return static_cast<std::int64_t>(std::min<std::uint64_t>(*u, std::numeric_limits<std::int64_t>::max()));
    }
    refuse(name, value, "a whole number");
  }

  const GgufMetadata& metadata_;
  std::string prefix_;
  std::string_view where_;
};

std::string text_of(const GgufMetadata& metadata, const char* key, std::string_view where) {
  const GgufValue* value = gguf_find(metadata, key);
  if (value == nullptr || !std::holds_alternative<std::string>(*value))
    fail_input("[gguf] a text {} expected, none found ({})", key, where);
  return std::get<std::string>(*value);
}

std::int64_t vocabulary_size(const Keys& keys, const GgufContent& content) {
  const GgufValue* tokens = gguf_find(content.metadata, "tokenizer.ggml.tokens");
  if (tokens != nullptr && std::holds_alternative<GgufArray>(*tokens)) {
    return static_cast<std::int64_t>(std::get<GgufArray>(*tokens).size());
  }
  for (const StoredTensor& tensor : content.tensors) {
    if (tensor.name == "token_embd.weight") return tensor.shape.front();
  }
  return keys.integer("vocab_size");
}

bool has_tensor(const GgufContent& content, std::string_view name) {
  return std::any_of(content.tensors.begin(), content.tensors.end(),
                     [name](const StoredTensor& t) { return t.name == name; });
}

}  // namespace

ModelConfig gguf_config(const GgufContent& content, std::string_view where) {
  ModelConfig c;
  c.arch = text_of(content.metadata, "general.architecture", where);
  if (c.arch != "gpt2" && c.arch != "llama")
    fail_input("[gguf] architecture gpt2 or llama expected, \"{}\" found ({})", c.arch, where);
  const Keys keys(content.metadata, c.arch + ".", where);
  c.vocab = vocabulary_size(keys, content);
  c.context = keys.integer("context_length");
  c.width = keys.integer("embedding_length");
  c.layers = keys.integer("block_count");
  c.ffn = keys.integer("feed_forward_length");
  c.heads = keys.integer("attention.head_count");
  c.kv_heads = keys.integer("attention.head_count_kv", c.heads);
  c.head_width = keys.integer("attention.key_length", c.heads > 0 ? c.width / c.heads : 0);
  c.tied = !has_tensor(content, "output.weight");
  if (c.arch == "llama") {
    c.activation = Activation::silu;
    c.norm_eps = keys.real("attention.layer_norm_rms_epsilon", 1e-5f);
    c.rope_theta = keys.real("rope.freq_base", 10000.0f);
    c.rope_interleaved = true;  // the rows of its q and k are in that order
    c.attention_bias = has_tensor(content, "blk.0.attn_q.bias");
    c.mlp_bias = has_tensor(content, "blk.0.ffn_up.bias");
    const std::int64_t rotated = keys.integer("rope.dimension_count", c.head_width);
    if (rotated != c.head_width)
      fail_input("[gguf] llama.rope.dimension_count {} (the head width) expected, {} found ({})",
                 c.head_width, rotated, where);
  } else {
    c.norm_eps = keys.real("attention.layer_norm_epsilon", 1e-5f);
  }
  const Keys tokenizer(content.metadata, "tokenizer.ggml.", where);
  const auto token = [&](const char* name) {
    return static_cast<std::int32_t>(
        std::clamp<std::int64_t>(tokenizer.integer(name, -1), -2, std::numeric_limits<std::int32_t>::max()));
  };
  c.bos = token("bos_token_id");
  c.eos = token("eos_token_id");
  c.validate();
  return c;
}

}  // namespace smallmind
