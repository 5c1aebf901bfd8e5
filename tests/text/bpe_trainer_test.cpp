// The trainer against the definition of BPE learning, and what must not change its result: threads, order,
// size of counts.
#include "text/bpe_trainer.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "tests/text/text_fixtures.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

// Merges as pairs of byte strings, recounting all pairs for every merge.
std::vector<std::pair<std::string, std::string>> learn_by_definition(const PieceCounts& counts,
                                                                     size_t tokens) {
  std::map<std::string, size_t> ids;
  for (const uint8_t byte : bytes_in_unicode_order())
    ids.emplace(std::string(1, static_cast<char>(byte)), ids.size());
  std::vector<std::pair<std::vector<std::string>, uint64_t>> words;
  for (const auto& [piece, count] : counts) {
    words.push_back({{}, count});
    for (const char c : piece) words.back().first.emplace_back(1, c);
  }
  std::vector<std::pair<std::string, std::string>> merges;
  while (ids.size() < 256 + tokens) {
    std::map<std::pair<size_t, size_t>, uint64_t> pairs;
    std::map<size_t, std::string> spelled;
    for (const auto& [symbols, count] : words) {
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        pairs[{ids.at(symbols[i]), ids.at(symbols[i + 1])}] += count;
        spelled[ids.at(symbols[i])] = symbols[i];
        spelled[ids.at(symbols[i + 1])] = symbols[i + 1];
      }
    }
    auto best = pairs.begin();
    for (auto at = pairs.begin(); at != pairs.end(); ++at) {
      if (at->second > best->second) best = at;
    }
    if (best == pairs.end() || best->second < 2) break;
    const std::string left = spelled[best->first.first];
    const std::string right = spelled[best->first.second];
    merges.emplace_back(left, right);
    ids.emplace(left + right, ids.size());
    for (auto& [symbols, count] : words) {
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (symbols[i] != left || symbols[i + 1] != right) continue;
        symbols[i] += right;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return merges;
}

std::vector<std::pair<std::string, std::string>> spelled_merges(const BpeTokenizer& bpe) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const Merge& m : bpe.merges()) merges.emplace_back(bpe.token_bytes(m.left), bpe.token_bytes(m.right));
  return merges;
}

TEST(BpeTrainerTest, learns_what_the_definition_says) {
  std::mt19937 random(13);
  for (const std::string_view alphabet : {"a", "ab", "abc", "ab cd\n", "the cat\xC3\xA9"}) {
    for (int round = 0; round < 12; ++round) {
      BpeTrainer trainer({.vocab_size = 257 + 40});
      trainer.add(test::random_bytes(random, 1 + random() % 2000, alphabet));
      const auto bpe = trainer.train();
      ASSERT_EQ(spelled_merges(*bpe), learn_by_definition(trainer.counter().counts(), 40));
    }
  }
}

// Words of a small vocabulary and, one in twenty, random letters.
std::string words_text(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::string> vocabulary(2000);
  for (auto& word : vocabulary) word = test::random_bytes(random, 1 + random() % 10, "etaoinshrdlu");
  std::string text;
  while (text.size() < size) {
    text += random() % 20 == 0 ? test::random_bytes(random, 6, "etaoinshrdlu") : vocabulary[random() % 2000];
    text += random() % 12 == 0 ? "\n" : " ";
  }
  return text;
}

constexpr size_t kTwoRounds = 5 << 20;

TEST(BpeTrainerTest, is_the_same_for_any_number_of_threads) {
  const std::string text = words_text(kTwoRounds, 17);
  std::string expected;
  for (const int threads : {1, 2, 5}) {
    BpeTrainer trainer({.vocab_size = 400, .threads = threads});
    trainer.add(text);
    const std::string json = tokenizer_to_json(*trainer.train());
    if (expected.empty()) expected = json;
    EXPECT_EQ(json, expected) << threads << " threads";
    EXPECT_EQ(trainer.counter().dropped(), 0u);
  }
}

TEST(BpeTrainerTest, forgets_the_same_rare_pieces_for_any_number_of_threads) {
  const std::string text = words_text(kTwoRounds, 19);
  const auto total = [](const PieceCounter& counter) {
    uint64_t sum = counter.dropped();
    for (const auto& [piece, count] : counter.counts()) sum += count;
    return sum;
  };
  PieceCounter all(kGpt2Pattern, 1, 100'000'000);
  all.add(text);
  PieceCounts expected;
  for (const int threads : {1, 2, 5}) {
    PieceCounter counter(kGpt2Pattern, threads, 3'000);
    counter.add(text);
    EXPECT_LE(counter.counts().size(), 3'000u);
    EXPECT_GT(counter.dropped(), 0u);
    EXPECT_EQ(total(counter), total(all));
    if (threads == 1) expected = counter.counts();
    EXPECT_TRUE(counter.counts() == expected) << threads << " threads";
  }
}

TEST(BpeTrainerTest, counts_beyond_32_bits_and_never_overflows) {
  BpeTrainer trainer({.vocab_size = 260});
  trainer.counter().add_piece("xy", (uint64_t{1} << 32) + 5);
  trainer.counter().add_piece("ab", (uint64_t{1} << 32) + 6);
  trainer.counter().add_piece("cd", 7);  // would win if counts wrapped at 2^32
  EXPECT_EQ(spelled_merges(*trainer.train()),
            (std::vector<std::pair<std::string, std::string>>{{"a", "b"}, {"x", "y"}, {"c", "d"}}));

  BpeTrainer full({.vocab_size = 300});
  full.counter().add_piece("aa", UINT64_MAX);
  full.counter().add_piece("aa", UINT64_MAX);
  full.counter().add_piece("aaab", UINT64_MAX - 1);
  EXPECT_EQ(full.counter().counts().at("aa"), UINT64_MAX);
  EXPECT_EQ(spelled_merges(*full.train()).front(), (std::pair<std::string, std::string>{"a", "a"}));
}

TEST(BpeTrainerTest, handles_empty_corpora_and_the_smallest_vocabularies) {
  const auto empty = BpeTrainer({.vocab_size = 1000}).train();
  EXPECT_EQ(empty->vocab_size(), 257);
  EXPECT_EQ(empty->eos_id(), 256);
  EXPECT_EQ(empty->decode(empty->encode("any text")), "any text");

  BpeTrainer bytes_only({.vocab_size = 256, .end_of_text = false});
  bytes_only.add("aaaa bbbb aaaa");
  EXPECT_EQ(bytes_only.train()->vocab_size(), 256);
  EXPECT_FALSE(bytes_only.train()->eos_id().has_value());

  BpeTrainer none({.vocab_size = 257});
  none.add("aaaa bbbb aaaa");
  EXPECT_TRUE(none.train()->merges().empty());
  EXPECT_THROW(BpeTrainer({.vocab_size = 256}), Error);
  EXPECT_THROW(BpeTrainer({.vocab_size = 255, .end_of_text = false}), Error);
  EXPECT_THROW(BpeTrainer({.vocab_size = -1}), Error);
  EXPECT_THROW(BpeTrainer({.threads = 0}), Error);
}

TEST(BpeTrainerTest, takes_one_line_without_a_space) {
  BpeTrainer trainer({.vocab_size = 280, .threads = 2});
  trainer.add(std::string(20'000'000, 'a'));
  EXPECT_LE(trainer.counter().counts().size(), 200u);
  const auto bpe = trainer.train();
  EXPECT_GT(bpe->vocab_size(), 260);
  EXPECT_EQ(bpe->token_bytes(257), "aaaa");
}

TEST(BpeTrainerTest, reports_progress_and_stops_when_told) {
  BpeTrainer trainer({.vocab_size = 300});
  trainer.add("the cat the dog the bird then them these");
  int calls = 0;
  uint64_t last = UINT64_MAX;
  const auto bpe = trainer.train([&](int32_t made, int32_t wanted, uint64_t count) {
    EXPECT_EQ(made, ++calls);
    EXPECT_EQ(wanted, 43);
    EXPECT_LE(count, last);
    last = count;
    return made < 2;
  });
  EXPECT_EQ(bpe->merges().size(), 2u);
}

TEST(BlockEndTest, cuts_where_no_piece_changes) {
  const std::string text = words_text(300'000, 23);
  for (const std::string_view pattern : {kGpt2Pattern, kLlama3Pattern}) {
    const Pretokenizer pretokenizer(pattern);
    PieceScanner scanner(pretokenizer);
    std::vector<std::string_view> whole;
    scanner.start(text);
    for (std::string_view piece; scanner.next(piece);) whole.push_back(piece);
    std::vector<std::string_view> cut;
    for (std::string_view rest = text; !rest.empty();) {
      const size_t end = block_end(rest, 1000);
      scanner.start(rest.substr(0, end));
      for (std::string_view piece; scanner.next(piece);) cut.push_back(piece);
      rest.remove_prefix(end);
    }
    EXPECT_EQ(cut, whole);
  }
}

TEST(PretokenizerTest, stops_a_pattern_that_backtracks_without_end) {
  const Pretokenizer pretokenizer("(a+)+$");
  PieceScanner scanner(pretokenizer);
  const std::string text = std::string(64, 'a') + "b";
  scanner.start(text);
  std::string_view piece;
  EXPECT_THROW(scanner.next(piece), Error);
}

TEST(PretokenizerTest, covers_the_text_with_any_pattern) {
  for (const std::string_view pattern : {"b+", "(?=x)", "\\s", "x*", "a\\Kb"}) {
    const Pretokenizer pretokenizer(pattern);
    PieceScanner scanner(pretokenizer);
    const std::string text = "abb\xFF\xFExx ab \xC3\xA9 bb";
    scanner.start(text);
    std::string joined;
    for (std::string_view piece; scanner.next(piece);) {
      ASSERT_FALSE(piece.empty());
      joined += piece;
    }
    EXPECT_EQ(joined, text) << pattern;
  }
}

}  // namespace
}  // namespace smallmind
