// The embedding interface over a small random model on disk.
#include "smallmind/language_model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "io/hf_config.h"
#include "io/safetensors_writer.h"
#include "model/loader.h"
#include "tests/base/temp_folder.h"
#include "text/char_tokenizer.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

class LanguageModelTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::unique_ptr<CharTokenizer> tokenizer = CharTokenizer::from_text("abcdefgh \n");
    ModelConfig config;
    config.vocab = tokenizer->vocab_size();
    config.context = 32;
    config.width = 32;
    config.layers = 2;
    config.heads = config.kv_heads = 4;
    config.head_width = 8;
    config.ffn = 64;
    const std::unique_ptr<Model> model = make_model(config);
    model->allocate(false);
    model->initialise(3);
    write_safetensors(directory_ / "model.safetensors", hf_tensors(*model));
    std::ofstream(directory_ / "config.json") << hf_config_json(config);
    save_tokenizer(*tokenizer, directory_ / "tokenizer.json");
  }

  TempFolder folder_;
  const std::filesystem::path& directory_ = folder_.path();
};

TEST_F(LanguageModelTest, GeneratesTheSameBytesForOneSeedAndAnyNumberOfThreads) {
  LanguageModel one = LanguageModel::load(directory_, {.threads = 1});
  LanguageModel two = LanguageModel::load(directory_, {.threads = 2});
  std::string streamed;
  const GenerationOptions options{.max_tokens = 60, .seed = 7};
  const GenerationResult a = one.generate("abc", options, [&](std::string_view text) {
    streamed += text;
    return true;
  });
  EXPECT_EQ(a.text, streamed);
  EXPECT_EQ(a.text, two.generate("abc", options).text);
  EXPECT_EQ(a.text, one.generate("abc", options).text);
  EXPECT_NE(a.text, one.generate("abc", {.max_tokens = 60, .seed = 8}).text);
  EXPECT_TRUE(a.finish_reason == "length" || a.finish_reason == "end_of_text");
}

TEST_F(LanguageModelTest, StopsWhenTheCallerSaysSo) {
  LanguageModel model = LanguageModel::load(directory_, {.threads = 1});
  int pieces = 0;
  const GenerationResult by_callback =
      model.generate("a", {.max_tokens = 50, .seed = 1}, [&](std::string_view) { return ++pieces < 3; });
  EXPECT_EQ(by_callback.finish_reason, "cancelled");
  EXPECT_EQ(pieces, 3);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(model.generate("a", {}, {}, source.get_token()).finish_reason, "cancelled");
}

TEST_F(LanguageModelTest, TokenizesAndGivesLogitsOfEachToken) {
  LanguageModel model = LanguageModel::load(directory_);
  const std::vector<std::int32_t> tokens = model.tokenize("head cafe");
  EXPECT_EQ(model.detokenize(tokens), "head cafe");
  const std::vector<float> logits = model.logits(tokens);
  EXPECT_EQ(logits.size(), tokens.size() * static_cast<std::size_t>(model.info().vocab));
  const std::vector<float> prefix = model.logits({tokens.data(), 3});
  EXPECT_TRUE(std::equal(prefix.begin(), prefix.end(), logits.begin()));
}

TEST_F(LanguageModelTest, WhatIsWrongIsSaid) {
  EXPECT_THROW(LanguageModel::load(directory_ / "nowhere"), Error);
  LanguageModel model = LanguageModel::load(directory_);
  EXPECT_THROW(model.tokenize("xyz"), Error);
  EXPECT_THROW(model.generate(""), Error);
  EXPECT_THROW(model.generate("a", {.temperature = -1}), Error);
  EXPECT_THROW(model.logits(std::vector<std::int32_t>(33, 1)), Error);
}

}  // namespace
}  // namespace smallmind
