// What holds for every tokenizer: bytes survive the round trip, control tokens come only when asked for, bad
// ids are refused.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/text/text_fixtures.h"
#include "text/bpe_tokenizer.h"
#include "text/char_tokenizer.h"

namespace smallmind {
namespace {

using test::small_bpe;

TEST(BpeTokenizerTest, keeps_every_byte_and_every_pair_of_bytes) {
  for (const std::string_view pattern : {kGpt2Pattern, kLlama3Pattern, std::string_view()}) {
    const auto bpe = small_bpe(pattern);
    std::vector<int32_t> ids;
    for (int a = 0; a < 256; ++a) {
      const std::string one(1, static_cast<char>(a));
      ASSERT_EQ(bpe->decode(bpe->encode(one)), one) << a;
      for (int b = 0; b < 256; ++b) {
        const std::string two = one + static_cast<char>(b);
        ids.clear();
        bpe->encode_into(two, ids);
        ASSERT_EQ(bpe->decode(ids), two) << a << " " << b;
      }
    }
  }
}

TEST(BpeTokenizerTest, keeps_invalid_utf8) {
  const auto bpe = small_bpe(kGpt2Pattern);
  for (const std::string& text : {
           std::string("overlong \xC0\xAF \xE0\x80\xAF \xF0\x80\x80\xAF end"),
           std::string("surrogates \xED\xA0\x80\xED\xBF\xBF end"),
           std::string("above \xF4\x90\x80\x80 \xFF\xFE end"),
           std::string("truncated \xE2\x82"),
           std::string("truncated \xF0\x9F\x98 inside"),
           std::string("\x80lone\xBF continuation\x80\x80"),
           std::string("nul \0 inside", 12),
           std::string("\xEF\xBB\xBF bom\r\n crlf\r\n"),
       }) {
    EXPECT_EQ(bpe->decode(bpe->encode(text)), text);
  }
}

TEST(BpeTokenizerTest, merges_inside_the_pieces_only) {
  const auto bpe = small_bpe(kGpt2Pattern);
  std::vector<std::string> tokens;
  for (const int32_t id : bpe->encode("the then  the")) tokens.emplace_back(bpe->token_bytes(id));
  EXPECT_EQ(tokens, (std::vector<std::string>{"the", " the", "n", " ", " the"}));
}

TEST(BpeTokenizerTest, ignores_merges_for_whole_pieces_where_told) {
  Vocabulary vocabulary = test::byte_vocabulary();
  const int32_t whole = vocabulary.add("xyz", TokenKind::normal);  // reached by no merge
  EXPECT_EQ(BpeTokenizer(vocabulary, {}, {.ignore_merges = true}).encode("xyz"), std::vector<int32_t>{whole});
  EXPECT_EQ(BpeTokenizer(vocabulary, {}).encode("xyz").size(), 3u);
}

TEST(BpeTokenizerTest, refuses_tables_that_do_not_fit) {
  EXPECT_THROW(BpeTokenizer(Vocabulary(), {}), Error);
  EXPECT_THROW(BpeTokenizer(test::byte_vocabulary(), {{0, 1, 2}}), Error);
  EXPECT_THROW(BpeTokenizer(test::byte_vocabulary(), {{0, 1, 256}}), Error);
  EXPECT_THROW(BpeTokenizer(test::byte_vocabulary(), {{-1, 1, 2}}), Error);
  EXPECT_THROW(BpeTokenizer(test::byte_vocabulary(), {}, {.pattern = "(unclosed"}), Error);
}

TEST(CharTokenizerTest, numbers_characters_in_code_point_order) {
  const auto chars = CharTokenizer::from_text("bca\n\xC3\xA4\xF0\x9F\x98\x80");
  EXPECT_EQ(chars->vocab_size(), 7);
  EXPECT_EQ(chars->encode("\nabc\xC3\xA4\xF0\x9F\x98\x80"), (std::vector<int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(chars->eos_id(), 6);
  EXPECT_EQ(chars->token_bytes(6), kEndOfText);
}

TEST(CharTokenizerTest, names_an_unknown_character_and_its_place) {
  const auto chars = CharTokenizer::from_text("abc");
  try {
    chars->encode("ab\xC3\xA9");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_NE(std::string(e.what()).find("U+00E9"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("byte 2"), std::string::npos) << e.what();
  }
}

TEST(CharTokenizerTest, reads_invalid_utf8_as_replacement_characters) {
  const auto chars = CharTokenizer::from_text("a\xFF");
  EXPECT_EQ(chars->decode(chars->encode("a\xE2\x82\xC0")), "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(CharTokenizerTest, is_empty_but_for_the_end_of_an_empty_text) {
  const auto chars = CharTokenizer::from_text("");
  EXPECT_EQ(chars->vocab_size(), 1);
  EXPECT_TRUE(chars->encode("").empty());
}

TEST(TokenizerTest, makes_control_tokens_only_when_asked) {
  const auto bpe = small_bpe(kGpt2Pattern);
  const std::string text = "the" + std::string(kEndOfText) + "the" + std::string(kEndOfText);
  const int32_t eos = bpe->eos_id().value();
  for (const int32_t id : bpe->encode(text)) EXPECT_FALSE(bpe->is_special(id));
  EXPECT_EQ(bpe->decode(bpe->encode(text)), text);
  const auto parsed = bpe->encode(text, true);
  EXPECT_EQ(std::count(parsed.begin(), parsed.end(), eos), 2);
  EXPECT_EQ(bpe->decode(parsed), "thethe");
  EXPECT_EQ(bpe->decode(parsed, true), text);

  const auto chars = CharTokenizer::from_text(text);
  for (const int32_t id : chars->encode(text)) EXPECT_FALSE(chars->is_special(id));
  EXPECT_EQ(chars->encode(kEndOfText, true), std::vector<int32_t>{chars->eos_id().value()});
}

TEST(TokenizerTest, matches_the_longest_added_token) {
  Vocabulary vocabulary = test::byte_vocabulary();
  const int32_t added = vocabulary.add("<a>", TokenKind::added);
  const int32_t longer = vocabulary.add("<a>b", TokenKind::special);
  const BpeTokenizer bpe(std::move(vocabulary), {});
  EXPECT_EQ(bpe.encode("<a>b", true), std::vector<int32_t>{longer});
  EXPECT_EQ(bpe.encode("<a>b").front(), added);
  EXPECT_EQ(bpe.encode("<<a><a", true)[1], added);
}

TEST(TokenizerTest, refuses_ids_outside_the_vocabulary) {
  const auto bpe = small_bpe(kGpt2Pattern);
  for (const int32_t id : {-1, bpe->vocab_size(), INT32_MAX, INT32_MIN}) {
    EXPECT_THROW(bpe->token_bytes(id), Error) << id;
    EXPECT_THROW(bpe->decode(std::vector<int32_t>{0, id}), Error) << id;
    EXPECT_FALSE(bpe->is_special(id));
  }
}

TEST(VocabularyTest, refuses_added_tokens_that_are_empty_long_or_double) {
  Vocabulary vocabulary;
  vocabulary.add("<s>", TokenKind::special);
  EXPECT_THROW(vocabulary.add("<s>", TokenKind::added), Error);
  EXPECT_THROW(vocabulary.add("", TokenKind::special), Error);
  EXPECT_THROW(vocabulary.add(std::string(Vocabulary::kLongestAddedToken + 1, 'x'), TokenKind::special),
               Error);
}

}  // namespace
}  // namespace smallmind
