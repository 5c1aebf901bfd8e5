// The two merge algorithms against the definition, written as a loop, and the time of ten million equal
// characters.
#include "text/bpe_merge.h"

#include <gtest/gtest.h>

#include <ctime>
#include <map>
#include <random>

#include "tests/text/text_fixtures.h"
#include "text/pretokenizer.h"

namespace smallmind {
namespace {

struct Table {
  std::vector<Merge> merges;
  std::vector<uint32_t> lengths;
};

// Random merges over `letters` byte tokens. Shuffled, a merge can come before the ones that build its parts.
Table random_table(std::mt19937& random, int32_t letters, int count, bool shuffled) {
  Table table;
  table.lengths.assign(static_cast<size_t>(letters), 1);
  std::vector<std::vector<int32_t>> spelled;
  std::map<std::vector<int32_t>, int32_t> known;
  for (int32_t i = 0; i < letters; ++i) spelled.push_back({i});
  for (int i = 0; i < count; ++i) {
    const auto left = static_cast<size_t>(random() % spelled.size());
    const auto right = static_cast<size_t>(random() % spelled.size());
    if (spelled[left].size() + spelled[right].size() > 12) continue;
    std::vector<int32_t> both = spelled[left];
    both.insert(both.end(), spelled[right].begin(), spelled[right].end());
    const auto [at, is_new] = known.try_emplace(both, static_cast<int32_t>(spelled.size()));
    if (is_new) {
      table.lengths.push_back(static_cast<uint32_t>(both.size()));
      spelled.push_back(both);
    }
    table.merges.push_back({static_cast<int32_t>(left), static_cast<int32_t>(right), at->second});
  }
  if (shuffled) std::shuffle(table.merges.begin(), table.merges.end(), random);
  return table;
}

std::vector<int32_t> merge_by_definition(const Table& table, std::vector<int32_t> symbols) {
  std::map<std::pair<int32_t, int32_t>, size_t> ranks;
  for (size_t rank = 0; rank < table.merges.size(); ++rank) {
    ranks[{table.merges[rank].left, table.merges[rank].right}] = rank;
  }
  while (true) {
    size_t best = table.merges.size();
    size_t at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = ranks.find({symbols[i], symbols[i + 1]});
      if (found != ranks.end() && found->second < best) {
        best = found->second;
        at = i;
      }
    }
    if (best == table.merges.size()) return symbols;
    symbols[at] = table.merges[best].result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST(BpeMergeTest, both_algorithms_do_what_the_definition_says) {
  std::mt19937 random(1);
  for (int round = 0; round < 600; ++round) {
    const auto letters = static_cast<int32_t>(1 + random() % 4);
    const Table table = random_table(random, letters, static_cast<int>(1 + random() % 40), round % 2 == 1);
    const MergeTable merges(table.merges);
    for (int i = 0; i < 20; ++i) {
      std::vector<int32_t> symbols(1 + random() % 48);
      for (auto& s : symbols) s = static_cast<int32_t>(random() % static_cast<uint32_t>(letters));
      const auto expected = merge_by_definition(table, symbols);
      auto by_short = symbols;
      by_short.resize(apply_merges_short(merges, by_short));
      ASSERT_EQ(by_short, expected);
      auto by_long = symbols;
      by_long.resize(apply_merges_long(merges, table.lengths, by_long));
      ASSERT_EQ(by_long, expected);
    }
  }
}

TEST(BpeMergeTest, long_pieces_do_what_the_definition_says) {
  std::mt19937 random(2);
  for (int round = 0; round < 40; ++round) {
    const Table table = random_table(random, 2, 60, round % 2 == 1);
    std::vector<int32_t> symbols(700);
    for (auto& s : symbols) s = static_cast<int32_t>(random() % 2);
    auto merged = symbols;
    merged.resize(apply_merges(MergeTable(table.merges), table.lengths, merged));
    ASSERT_EQ(merged, merge_by_definition(table, symbols));
  }
}

// Of this thread: a busy machine must not fail the test.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

TEST(BpeMergeTest, ten_million_equal_characters_take_less_than_five_seconds) {
  for (const std::string_view pattern : {kGpt2Pattern, kLlama3Pattern}) {
    const auto bpe = test::small_bpe(pattern);
    for (const char c : {'a', ' ', '\n', 'z'}) {
      const std::string text(10'000'000, c);
      const double start = cpu_seconds();
      const std::vector<int32_t> ids = bpe->encode(text);
      const double seconds = cpu_seconds() - start;
      EXPECT_LT(seconds, 5.0) << "character " << static_cast<int>(c);
      EXPECT_EQ(bpe->decode(ids), text);
      RecordProperty(std::to_string(static_cast<int>(c)), std::to_string(seconds));
    }
  }
}

TEST(BpeMergeTest, merges_that_interrupt_each_other_stay_near_linear) {
  // (b c) has a lower rank than (a b), whose result meets c: each merge of rank 1 makes one of rank 0.
  Vocabulary vocabulary = test::byte_vocabulary();
  const auto id_of = [&](char c) {
    for (int32_t id = 0;; ++id) {
      if (vocabulary.bytes(id)[0] == c) return id;
    }
  };
  const int32_t ab = vocabulary.add("ab", TokenKind::normal);
  const int32_t abc = vocabulary.add("abc", TokenKind::normal);
  const BpeTokenizer bpe(std::move(vocabulary), {{ab, id_of('c'), abc}, {id_of('a'), id_of('b'), ab}});
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "abc";
  const double start = cpu_seconds();
  EXPECT_EQ(bpe.encode(text), std::vector<int32_t>(1'000'000, abc));
  EXPECT_LT(cpu_seconds() - start, 5.0);
}

}  // namespace
}  // namespace smallmind
