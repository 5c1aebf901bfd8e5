// tokenizer.json: what is written reads back the same, both spellings of merges are read, hostile files end
// in typed errors.
#include "text/tokenizer_json.h"
#include "tests/base/temp_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "tests/text/text_fixtures.h"
#include "text/char_tokenizer.h"

namespace smallmind {
namespace {

void expect_same(const Tokenizer& a, const Tokenizer& b, std::string_view text) {
  EXPECT_EQ(a.kind(), b.kind());
  ASSERT_EQ(a.vocab_size(), b.vocab_size());
  for (int32_t id = 0; id < a.vocab_size(); ++id) {
    ASSERT_EQ(a.token_bytes(id), b.token_bytes(id));
    ASSERT_EQ(a.is_special(id), b.is_special(id));
  }
  EXPECT_EQ(a.eos_id(), b.eos_id());
  EXPECT_EQ(a.bos_id(), b.bos_id());
  EXPECT_EQ(a.encode(text, true), b.encode(text, true));
  EXPECT_EQ(tokenizer_to_json(a), tokenizer_to_json(b));
}

TEST(TokenizerJsonTest, reads_what_it_writes) {
  for (const std::string_view pattern : {kGpt2Pattern, kLlama3Pattern, std::string_view()}) {
    const auto bpe = test::small_bpe(pattern);
    const auto read = tokenizer_from_json(tokenizer_to_json(*bpe));
    expect_same(*bpe, *read, "the aaaa the\n\n  \xC3\xA9\xFF<|endoftext|>x");
    EXPECT_EQ(dynamic_cast<const BpeTokenizer&>(*read).pattern(), pattern);
  }
  const auto chars = CharTokenizer::from_text("the quick \"brown\" \\fox\n\t\x01\xC3\xA9\xF0\x9F\x98\x80");
  expect_same(*chars, *tokenizer_from_json(tokenizer_to_json(*chars)),
              "quick \xF0\x9F\x98\x80<|endoftext|>\n\x01");
}

TEST(TokenizerJsonTest, keeps_a_beginning_of_text_token_and_ignore_merges) {
  Vocabulary vocabulary = test::byte_vocabulary();
  vocabulary.add("whole", TokenKind::normal);
  const int32_t bos = vocabulary.add("<|begin_of_text|>", TokenKind::special);
  const int32_t eos = vocabulary.add("<|end_of_text|>", TokenKind::special);
  const BpeTokenizer bpe(std::move(vocabulary), {},
                         {.pattern = std::string(kLlama3Pattern), .ignore_merges = true, .bos = bos});
  EXPECT_EQ(bpe.eos_id(), eos);
  EXPECT_EQ(bpe.bos_id(), bos);
  expect_same(bpe, *tokenizer_from_json(tokenizer_to_json(bpe)), "whole<|begin_of_text|>");
}

TEST(TokenizerJsonTest, saves_and_loads_files_and_directories) {
  const TempFolder folder;
  const std::filesystem::path& directory = folder.path();
  const auto bpe = test::small_bpe(kGpt2Pattern);
  save_tokenizer(*bpe, directory / "tokenizer.json");
  expect_same(*bpe, *load_tokenizer(directory), "the");
  expect_same(*bpe, *load_tokenizer(directory / "tokenizer.json"), "the");
  EXPECT_THROW(load_tokenizer(directory / "none.json"), Error);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(TokenizerJsonTest, reads_merges_as_pairs) {
  const auto bpe = test::small_bpe(kGpt2Pattern);
  const std::string json = tokenizer_to_json(*bpe);
  const std::string pairs =
      replaced(replaced(json, "\"t h\"", "[\"t\", \"h\"]"), "\"th e\"", "[\"th\",\"e\"]");
  expect_same(*bpe, *tokenizer_from_json(pairs), "the the");
}

TEST(TokenizerJsonTest, refuses_what_it_does_not_support) {
  const std::string json = tokenizer_to_json(*test::small_bpe(kGpt2Pattern));
  const auto refused = [&](std::string_view from, std::string_view to) {
    EXPECT_THROW(tokenizer_from_json(replaced(json, from, to)), Error) << from << " -> " << to;
  };
  refused("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}");
  refused("\"normalizer\": null", "\"normalizer\": {\"type\": 3}");
  refused("\"type\": \"BPE\"", "\"type\": \"Unigram\"");
  refused("\"add_prefix_space\": false", "\"add_prefix_space\": true");
  refused("\"byte_fallback\": false", "\"byte_fallback\": true");
  refused("\"byte_fallback\": false", "\"byte_fallback\": \"no\"");
  refused("\"lstrip\": false", "\"lstrip\": true");
  refused("\"pre_tokenizer\": {\"type\": \"ByteLevel\"", "\"pre_tokenizer\": {\"type\": \"Metaspace\"");
  refused("\"t h\"", "\"t\"");
  refused("\"t h\"", "\"t q\"");
  refused("\"t h\"", "\"th  e\"");
  refused("\"t h\"", "[\"t\"]");
  refused("\"t h\"", "7");
  refused("\"!\": 0", "\"!\": -1");
  refused("\"!\": 0", "\"!\": 1");
  refused("\"!\": 0", "\"!\": 4294967296");
  refused("\"!\": 0", "\"!\": 0.5");
  refused("\"!\": 0", "\"\": 0");
  refused("\"!\": 0", "\"! \": 0");
  refused("\"id\": 265", "\"id\": 3");
  refused("\"id\": 265", "\"id\": -3");
  refused("\"id\": 265", "\"id\": 18446744073709551615");
  refused("\"vocab\": {", "\"other\": {");
  refused("\"merges\": [", "\"merges\": 3, \"x\": [");
}

TEST(TokenizerJsonTest, survives_hostile_text) {
  EXPECT_THROW(tokenizer_from_json(""), Error);
  EXPECT_THROW(tokenizer_from_json("[]"), Error);
  EXPECT_THROW(tokenizer_from_json("{\"model\": []}"), Error);
  EXPECT_THROW(tokenizer_from_json("\xFF\xFE"), Error);
  EXPECT_THROW(tokenizer_from_json(std::string(1'000'000, '[')), Error);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  EXPECT_THROW(tokenizer_from_json(deep), Error);
  std::string wide = "[0";
  for (int i = 0; i < 7'000'000; ++i) wide += ",0";
  EXPECT_THROW(tokenizer_from_json(wide + "]"), Error);
}

TEST(TokenizerJsonTest, truncations_and_flipped_bytes_never_crash) {
  const std::string json = tokenizer_to_json(*test::small_bpe(kLlama3Pattern));
  for (size_t size = 0; size < json.size() - 2; size += 7) {
    EXPECT_THROW(tokenizer_from_json(json.substr(0, size)), Error) << size;
  }
  std::mt19937 random(3);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string flipped = json;
    flipped[random() % flipped.size()] = static_cast<char>(random());
    try {
      const auto tokenizer = tokenizer_from_json(flipped);
      EXPECT_EQ(tokenizer->decode(tokenizer->encode("the cat")), "the cat");
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace smallmind
