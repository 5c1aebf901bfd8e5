// config.json as Transformers writes it, back and forth, and what is refused.
#include "io/hf_config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/io/io_test_support.h"

namespace smallmind {
namespace {

constexpr const char* kGpt2 = R"({
  "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256,
  "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
  "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "resid_pdrop": 0.1,
  "summary_type": "cls_index", "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
  "vocab_size": 50257})";

constexpr const char* kSmolLm = R"({
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 0,
  "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.02, "intermediate_size": 1536,
  "max_position_embeddings": 2048, "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30,
  "num_key_value_heads": 3, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0,
  "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 49152})";

ModelConfig parse(const std::string& text) {
  return parse_hf_config(text, "config.json");
}

// kSmolLm or kGpt2 with some fields set to other values; null deletes nothing, it is written.
std::string changed(const char* base, const char* changes) {
  auto object = nlohmann::json::parse(base);
  object.update(nlohmann::json::parse(changes));
  return object.dump();
}

std::string without(const char* base, const char* field) {
  auto object = nlohmann::json::parse(base);
  object.erase(field);
  return object.dump();
}

TEST(HfConfig, PublishedGpt2) {
  const ModelConfig c = parse(kGpt2);
  EXPECT_EQ(c.arch, "gpt2");
  EXPECT_EQ(c.parameter_count(), 124439808);
  EXPECT_EQ(c.ffn, 3072);
  EXPECT_EQ(c.head_width, 64);
  EXPECT_EQ(c.activation, Activation::gelu_tanh);
  EXPECT_TRUE(c.tied);
  EXPECT_EQ(c.norm_eps, 1e-5f);
  EXPECT_EQ(c.dropout, 0.1f);
  EXPECT_EQ(c.eos, 50256);
}

TEST(HfConfig, PublishedLlama) {
  const ModelConfig c = parse(kSmolLm);
  EXPECT_EQ(c.arch, "llama");
  EXPECT_EQ(c.parameter_count(), 134515008);
  EXPECT_EQ(c.kv_heads, 3);
  EXPECT_EQ(c.rope_theta, 10000.0f);
  EXPECT_EQ(c.activation, Activation::silu);
  EXPECT_EQ(c.bos, 0);
}

TEST(HfConfig, Defaults) {
  const ModelConfig untied = parse(without(kSmolLm, "tie_word_embeddings"));
  EXPECT_FALSE(untied.tied);
  EXPECT_EQ(parse(without(kSmolLm, "rms_norm_eps")).norm_eps, 1e-6f);
  EXPECT_EQ(parse(without(kSmolLm, "num_key_value_heads")).kv_heads, 9);
  EXPECT_EQ(parse(without(kSmolLm, "eos_token_id")).eos, -1);
  EXPECT_EQ(parse(changed(kSmolLm, R"({"eos_token_id": [7, 8]})")).eos, 7);
  EXPECT_EQ(parse(changed(kSmolLm, R"({"head_dim": 32})")).head_width, 32);
  EXPECT_EQ(parse(changed(kGpt2, R"({"n_inner": 100})")).ffn, 100);
  EXPECT_EQ(parse(changed(kGpt2, R"({"n_inner": null})")).ffn, 3072);
  EXPECT_EQ(
      parse(changed(kSmolLm, R"({"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}})"))
          .rope_theta,
      500000.0f);
}

TEST(HfConfig, WrittenIsReadBack) {
  ModelConfig c = parse(kGpt2);
  c.activation = Activation::gelu_erf;
  c.dropout = 0.15f;
  c.tied = false;
  c.bos = -1;
  EXPECT_EQ(parse(hf_config_json(c)), c);
  ModelConfig l = parse(kSmolLm);
  l.attention_bias = l.mlp_bias = true;
  l.rope_theta = 1234567.0f;
  l.norm_eps = 3.1e-6f;
  l.head_width = 48;
  EXPECT_EQ(parse(hf_config_json(l)), l);
  l.rope_interleaved = true;
  EXPECT_EQ(parse(hf_config_json(l)), l);
  EXPECT_NE(hf_config_json(c).find("\"layer_norm_epsilon\": 1e-05"), std::string::npos);
  EXPECT_NE(hf_config_json(c).find("\"tie_word_embeddings\": false"), std::string::npos);
}

TEST(HfConfig, RefusedByName) {
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"model_type": "mamba"})")), "mamba");
  EXPECT_REFUSED(parse(without(kSmolLm, "model_type")), "model_type");
  EXPECT_REFUSED(parse(without(kSmolLm, "hidden_size")), "hidden_size");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"hidden_size": "576"})")), "hidden_size");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"hidden_size": 576.0})")), "hidden_size");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"num_attention_heads": 0})")), "heads");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"num_key_value_heads": 4})")), "kv_heads");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"head_dim": 63})")), "head_width");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"num_hidden_layers": 1000000000})")), "layers");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"max_position_embeddings": 2147483648})")), "context");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"vocab_size": 18446744073709551615})")), "vocab");
  EXPECT_REFUSED(parse(changed(kGpt2, R"({"n_embd": 4611686018427387904})")), "width");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"rope_scaling": {"type": "linear", "factor": 2}})")),
                 "rope_scaling");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"rope_parameters": {"rope_type": "llama3"}})")), "rope_type");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"hidden_act": "relu"})")), "hidden_act");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"hidden_act": "gelu"})")), "silu");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"eos_token_id": 49152})")), "eos");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"eos_token_id": "x"})")), "eos");
  EXPECT_REFUSED(parse(changed(kSmolLm, R"({"partial_rotary_factor": 0.5})")), "partial_rotary_factor");
  EXPECT_REFUSED(parse(changed(kGpt2, R"({"scale_attn_by_inverse_layer_idx": true})")), "scale_attn");
  EXPECT_REFUSED(parse(changed(kGpt2, R"({"n_head": 7})")), "width");
  EXPECT_REFUSED(parse("[]"), "object");
  EXPECT_REFUSED(parse("{\"model_type\":\"gpt2\",\"model_type\":\"llama\"}"), "model_type");
  EXPECT_REFUSED(parse("{"), "config.json");
}

TEST(HfConfig, GenerationConfig) {
  const auto object = nlohmann::json::parse(
      generation_config_json(parse(kGpt2), {.sample = true, .temperature = 0.8f, .top_k = 40}));
  EXPECT_EQ(object.at("eos_token_id"), 50256);
  EXPECT_EQ(object.at("temperature"), 0.8);
  EXPECT_EQ(object.at("top_k"), 40);
  EXPECT_EQ(object.at("do_sample"), true);
}

}  // namespace
}  // namespace smallmind
