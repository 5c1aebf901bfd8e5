// GPT-2's own vocabulary gives the recorded ids for the recorded texts, which holds the pattern and the
// merges to the original.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/text/gguf_vocabulary.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

const std::string kFile = std::string(SM_SHARED_DIR) + "/data/vocab/ggml-vocab-gpt-2.gguf";

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  for (size_t pos = 0; pos <= text.size();) {
    const size_t end = std::min(text.find(separator, pos), text.size());
    parts.push_back(text.substr(pos, end - pos));
    pos = end + separator.size();
  }
  return parts;
}

TEST(Gpt2ParityTest, gives_the_recorded_ids) {
  if (!std::filesystem::exists(kFile)) GTEST_SKIP() << "skipped: no " << kFile;
  const auto gpt2 = test::gguf_bpe(kFile, kGpt2Pattern);
  EXPECT_EQ(gpt2->vocab_size(), 50257);
  EXPECT_EQ(gpt2->eos_id(), 50256);
  std::vector<std::string> texts = split(test::read_file(kFile + ".inp"), "\n__ggml_vocab_test__\n");
  const std::vector<std::string> lines = split(test::read_file(kFile + ".out"), "\n");
  while (texts.size() > 1 && texts.back().empty()) texts.pop_back();
  ASSERT_GE(lines.size(), texts.size());
  ASSERT_GT(texts.size(), 30u);
  for (size_t i = 0; i < texts.size(); ++i) {
    std::istringstream line(lines[i]);
    const std::vector<int32_t> expected{std::istream_iterator<int32_t>(line), {}};
    EXPECT_EQ(gpt2->encode(texts[i]), expected) << i << ": \"" << texts[i] << "\"";
    EXPECT_EQ(gpt2->decode(expected), texts[i]);
  }
}

TEST(Gpt2ParityTest, survives_tokenizer_json) {
  if (!std::filesystem::exists(kFile)) GTEST_SKIP() << "skipped: no " << kFile;
  const auto gpt2 = test::gguf_bpe(kFile, kGpt2Pattern);
  const std::string json = tokenizer_to_json(*gpt2);
  const auto read = tokenizer_from_json(json);
  const std::string texts = test::read_file(kFile + ".inp");
  EXPECT_EQ(read->encode(texts), gpt2->encode(texts));
  EXPECT_EQ(tokenizer_to_json(*read), json);
}

}  // namespace
}  // namespace smallmind
