// The field names of Transformers' GPT2Config and LlamaConfig, with the defaults that they have when absent.
#include "io/hf_config.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"

namespace smallmind {
namespace {

using Json = nlohmann::json;

// One config.json with typed, named access; null counts as absent, as in Transformers.
class Fields {
 public:
  Fields(const Json& object, std::string_view where) : object_(object), where_(where) {}

  bool has(const char* name) const { return object_.contains(name) && !object_.at(name).is_null(); }

  std::int64_t integer(const char* name) const { return json_int(object_, name, where_); }
  std::int64_t integer(const char* name, std::int64_t otherwise) const {
    return find_json_int(object_, name, where_).value_or(otherwise);
  }
  float real(const char* name, float otherwise) const {
    return static_cast<float>(find_json_number(object_, name, where_).value_or(otherwise));
  }
  bool boolean(const char* name, bool otherwise) const {
    return find_json_bool(object_, name, where_).value_or(otherwise);
  }
  std::string text(const char* name, const char* otherwise) const {
    return find_json_string(object_, name, where_).value_or(otherwise);
  }

  // A token id, or the first of a list of them; -1 if absent.
  std::int32_t token(const char* name) const {
    if (!has(name)) return -1;
    const Json& value = object_.at(name);
    const Json& id = value.is_array() && !value.empty() ? value.front() : value;
    if (!id.is_number_integer()) refuse(name, "a token id");
    const auto number = id.get<std::int64_t>();
    if (number < -1 || number > std::numeric_limits<std::int32_t>::max()) refuse(name, "a token id");
    return static_cast<std::int32_t>(number);
  }

  // Refuses an option that asks for a formula that SmallMind does not compute.
  void require_absent(const char* name) const {
    if (has(name)) refuse(name, "nothing (it is not supported)");
  }
  void require(const char* name, bool expected) const {
    if (boolean(name, expected) != expected)
      refuse(name, expected ? "true (false is not supported)" : "false (true is not supported)");
  }

  [[noreturn]] void refuse(const char* name, const char* expected) const {
    const std::string found = has(name) ? json_text(object_.at(name)).substr(0, 100) : "none";
    fail_input("[config] {}: {} expected, {} found ({})", name, expected, found, where_);
  }

 private:
  const Json& object_;
  std::string_view where_;
};

Activation activation_of(const Fields& fields, const char* name, const char* otherwise) {
  const std::string text = fields.text(name, otherwise);
  if (text == "gelu_new" || text == "gelu_pytorch_tanh" || text == "gelu_fast") return Activation::gelu_tanh;
  if (text == "gelu") return Activation::gelu_erf;
  if (text == "silu" || text == "swish") return Activation::silu;
  fields.refuse(name, "gelu_new, gelu or silu");
}

// width / heads, without dividing by what the file says before it is checked.
std::int64_t head_width_of(const ModelConfig& c) {
  return c.heads > 0 ? c.width / c.heads : 0;
}

ModelConfig gpt2_config(const Fields& f) {
  ModelConfig c;
  c.arch = "gpt2";
  c.vocab = f.integer("vocab_size");
  c.context = f.has("n_positions") ? f.integer("n_positions") : f.integer("n_ctx");
  c.width = f.integer("n_embd");
  c.layers = f.integer("n_layer");
  c.heads = c.kv_heads = f.integer("n_head");
  c.head_width = head_width_of(c);
  if (f.has("n_inner")) {
    c.ffn = f.integer("n_inner");
  } else {
    c.ffn = c.width >= 0 && c.width < (std::int64_t{1} << 60) ? 4 * c.width : 0;
  }
  c.norm_eps = f.real("layer_norm_epsilon", 1e-5f);
  c.activation = activation_of(f, "activation_function", "gelu_new");
  c.tied = f.boolean("tie_word_embeddings", true);
  c.dropout = f.real("resid_pdrop", 0.1f);
  f.require("scale_attn_weights", true);
  f.require("scale_attn_by_inverse_layer_idx", false);
  f.require("add_cross_attention", false);
  return c;
}

ModelConfig llama_config(const Fields& f) {
  ModelConfig c;
  c.arch = "llama";
  c.vocab = f.integer("vocab_size");
  c.context = f.integer("max_position_embeddings", 2048);
  c.width = f.integer("hidden_size");
  c.layers = f.integer("num_hidden_layers");
  c.heads = f.integer("num_attention_heads");
  c.kv_heads = f.integer("num_key_value_heads", c.heads);
  c.head_width = f.integer("head_dim", head_width_of(c));
  c.ffn = f.integer("intermediate_size");
  c.norm_eps = f.real("rms_norm_eps", 1e-6f);
  c.rope_theta = f.real("rope_theta", 10000.0f);
  c.rope_interleaved = f.boolean("rope_interleave", false);  // the key is that of DeepSeek-V3
  c.activation = activation_of(f, "hidden_act", "silu");
  c.tied = f.boolean("tie_word_embeddings", false);
  c.attention_bias = f.boolean("attention_bias", false);
  c.mlp_bias = f.boolean("mlp_bias", false);
  c.dropout = f.real("attention_dropout", 0.0f);
  f.require_absent("rope_scaling");
  f.require_absent("quantization_config");
  if (f.real("partial_rotary_factor", 1.0f) != 1.0f) f.refuse("partial_rotary_factor", "1");
  return c;
}

// Transformers 5 keeps the base of RoPE in an object: {"rope_type": "default", "rope_theta": 10000.0}.
void read_rope_parameters(const Json& object, std::string_view where, ModelConfig& config) {
  if (!object.contains("rope_parameters") || object.at("rope_parameters").is_null()) return;
  if (!object.at("rope_parameters").is_object()) Fields(object, where).refuse("rope_parameters", "an object");
  const Fields rope(object.at("rope_parameters"), where);
  if (rope.text("rope_type", "default") != "default") rope.refuse("rope_type", "default");
  config.rope_theta = rope.real("rope_theta", config.rope_theta);
}

void set_token(nlohmann::ordered_json& object, const char* name, std::int32_t id) {
  if (id >= 0) {
    object[name] = id;
  } else {
    object[name] = nullptr;  // Transformers' default would be 50256 or 1
  }
}

nlohmann::ordered_json gpt2_json(const ModelConfig& c) {
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", c.vocab},
          {"n_positions", c.context},
          {"n_ctx", c.context},
          {"n_embd", c.width},
          {"n_layer", c.layers},
          {"n_head", c.heads},
          {"n_inner", c.ffn},
          {"layer_norm_epsilon", shortest_decimal(c.norm_eps)},
          {"activation_function", c.activation == Activation::gelu_erf ? "gelu" : "gelu_new"},
          {"embd_pdrop", shortest_decimal(c.dropout)},
          {"attn_pdrop", shortest_decimal(c.dropout)},
          {"resid_pdrop", shortest_decimal(c.dropout)},
          {"scale_attn_weights", true}};
}

nlohmann::ordered_json llama_json(const ModelConfig& c) {
  nlohmann::ordered_json object = {{"architectures", {"LlamaForCausalLM"}},
                                   {"model_type", "llama"},
                                   {"vocab_size", c.vocab},
                                   {"max_position_embeddings", c.context},
                                   {"hidden_size", c.width},
                                   {"intermediate_size", c.ffn},
                                   {"num_hidden_layers", c.layers},
                                   {"num_attention_heads", c.heads},
                                   {"num_key_value_heads", c.kv_heads},
                                   {"head_dim", c.head_width},
                                   {"hidden_act", "silu"},
                                   {"rms_norm_eps", shortest_decimal(c.norm_eps)},
                                   {"rope_theta", shortest_decimal(c.rope_theta)},
                                   {"attention_bias", c.attention_bias},
                                   {"mlp_bias", c.mlp_bias},
                                   {"attention_dropout", shortest_decimal(c.dropout)}};
  if (c.rope_interleaved) object["rope_interleave"] = true;
  return object;
}

ModelConfig config_of(const Json& object, std::string_view where) {
  if (!object.is_object()) fail_input("[config] an object expected ({})", where);
  const Fields fields(object, where);
  const std::string type = fields.text("model_type", "");
  if (type != "gpt2" && type != "llama")
    fail_input("[config] model_type gpt2 or llama expected, \"{}\" found ({})", type, where);
  ModelConfig config = type == "gpt2" ? gpt2_config(fields) : llama_config(fields);
  if (type == "llama") read_rope_parameters(object, where, config);
  config.bos = fields.token("bos_token_id");
  config.eos = fields.token("eos_token_id");
  config.validate();
  return config;
}

}  // namespace

double shortest_decimal(float value) {
  return std::stod(fmt::format("{}", value));
}

ModelConfig parse_hf_config(std::string_view json, std::string_view where) {
  return config_of(parse_json(json, where), where);
}

ModelConfig read_hf_config(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "config.json";
  return config_of(read_json_file(path.string()), path.string());
}

std::string hf_config_json(const ModelConfig& config) {
  config.validate();
  nlohmann::ordered_json object = config.arch == "gpt2" ? gpt2_json(config) : llama_json(config);
  object["tie_word_embeddings"] = config.tied;
  set_token(object, "bos_token_id", config.bos);
  set_token(object, "eos_token_id", config.eos);
  object["use_cache"] = true;
  object["torch_dtype"] = "float32";
  return object.dump(2) + "\n";
}

std::string generation_config_json(const ModelConfig& config, const GenerationDefaults& defaults) {
  nlohmann::ordered_json object;
  set_token(object, "bos_token_id", config.bos);
  set_token(object, "eos_token_id", config.eos);
  object["do_sample"] = defaults.sample;
  object["temperature"] = shortest_decimal(defaults.temperature);
  object["top_k"] = defaults.top_k;
  object["top_p"] = shortest_decimal(defaults.top_p);
  object["max_length"] = config.context;
  return object.dump(2) + "\n";
}

}  // namespace smallmind
