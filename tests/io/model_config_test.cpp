// The shape checks name what is wrong; the parameter counts are those of the published models.
#include "io/model_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace smallmind {
namespace {

ModelConfig gpt2(std::int64_t vocab, std::int64_t context, std::int64_t width, std::int64_t layers,
                 std::int64_t heads) {
  ModelConfig c;
  c.vocab = vocab;
  c.context = context;
  c.width = width;
  c.layers = layers;
  c.heads = c.kv_heads = heads;
  c.head_width = width / heads;
  c.ffn = 4 * width;
  return c;
}

ModelConfig llama() {
  ModelConfig c = gpt2(49152, 2048, 576, 30, 9);
  c.arch = "llama";
  c.kv_heads = 3;
  c.ffn = 1536;
  c.activation = Activation::silu;
  return c;
}

std::string refusal(const ModelConfig& config) {
  try {
    config.validate();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    return e.what();
  }
  return "accepted";
}

TEST(ModelConfig, CountsOfKnownModels) {
  EXPECT_EQ(gpt2(50257, 1024, 768, 12, 12).parameter_count(), 124439808);
  ModelConfig medium = gpt2(512, 128, 256, 4, 8);
  medium.tied = false;
  EXPECT_EQ(medium.parameter_count(), 3454464);
  EXPECT_EQ(llama().parameter_count(), 134515008);  // SmolLM-135M
}

TEST(ModelConfig, BiasesCount) {
  ModelConfig c = llama();
  const std::int64_t plain = c.parameter_count();
  c.attention_bias = true;
  EXPECT_EQ(c.parameter_count() - plain, 30 * (576 + 2 * 192 + 576));
  c.mlp_bias = true;
  EXPECT_EQ(c.parameter_count() - plain, 30 * (576 + 2 * 192 + 576 + 2 * 1536 + 576));
}

TEST(ModelConfig, AcceptsGoodShapes) {
  EXPECT_EQ(refusal(gpt2(65, 64, 128, 4, 4)), "accepted");
  EXPECT_EQ(refusal(llama()), "accepted");
}

template <typename Change>
std::string refusal_after(ModelConfig config, Change change) {
  change(config);
  return refusal(config);
}

TEST(ModelConfig, RefusesByName) {
  const ModelConfig good = llama();
  const auto names = [](const std::string& text, const char* name) {
    return text.find(name) != std::string::npos;
  };
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.arch = "mamba"; }), "mamba"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.heads = 0; }), "heads"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.kv_heads = 4; }), "kv_heads"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.kv_heads = 0; }), "kv_heads"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.head_width = 63; }), "head_width"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.layers = 1000000000; }), "layers"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.context = std::int64_t{1} << 31; }), "context"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.vocab = -1; }), "vocab"));
  EXPECT_TRUE(
      names(refusal_after(good, [](auto& c) { c.ffn = std::numeric_limits<std::int64_t>::max(); }), "ffn"));
  EXPECT_TRUE(
      names(refusal_after(good, [](auto& c) { c.norm_eps = std::numeric_limits<float>::quiet_NaN(); }),
            "norm_eps"));
  EXPECT_TRUE(
      names(refusal_after(good, [](auto& c) { c.rope_theta = std::numeric_limits<float>::infinity(); }),
            "rope_theta"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.dropout = 1.0f; }), "dropout"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.eos = 49152; }), "eos"));
  EXPECT_TRUE(names(refusal_after(good, [](auto& c) { c.activation = Activation::gelu_erf; }), "silu"));
  EXPECT_TRUE(names(refusal_after(gpt2(65, 64, 128, 4, 4), [](auto& c) { c.width = 130; }), "width"));
  ModelConfig huge = gpt2(1 << 24, 1 << 24, 1 << 20, 4096, 1 << 10);
  EXPECT_TRUE(names(refusal(huge), "parameters"));
}

}  // namespace
}  // namespace smallmind
