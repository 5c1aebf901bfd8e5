// Token files and the windows cut from them.
#include "train/data_loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "tests/base/temp_folder.h"
#include "text/char_tokenizer.h"

namespace smallmind {
namespace {

class Tokens : public testing::Test {
 protected:
  TokenFile make(const std::string& text, const Tokenizer& tokenizer) {
    return tokenise(find_sources(folder.write("data.txt", text)), "", tokenizer, cache());
  }
  std::filesystem::path cache() const { return folder.path() / "cache"; }
  std::vector<std::int32_t> all(const TokenFile& file) const {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(file.size()));
    file.read(0, ids);
    return ids;
  }
  void SetUp() override {
    static const LogSink kSilent{[](void*, LogLevel, std::string_view) noexcept {}, nullptr, LogLevel::error};
    former_ = set_log_sink(&kSilent);
  }
  void TearDown() override { set_log_sink(former_); }
  const LogSink* former_ = nullptr;
  std::unique_ptr<CharTokenizer> abc = CharTokenizer::from_text("abcdefghij");
  TempFolder folder;
};

TEST_F(Tokens, AreTokenisedOnce) {
  const TokenFile first = make("abcabc", *abc);
  EXPECT_EQ(all(first), (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2}));
  int calls = 0;
  const auto sources = find_sources(folder.path() / "data.txt");
  const TokenFile again = tokenise(sources, "", *abc, cache(), [&](auto, auto) { ++calls; });
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(again.path(), first.path());
  EXPECT_EQ(again.content_hash(), first.content_hash());
  const TokenFile other = make("abcabca", *abc);
  EXPECT_NE(other.path(), first.path());
  EXPECT_NE(other.content_hash(), first.content_hash());
}

TEST_F(Tokens, JoinDocumentsWithTheEndOfText) {
  folder.write("d/a.txt", "ab");
  folder.write("d/b.txt", "c");
  const TokenFile file = tokenise(find_sources(folder.path() / "d"), "", *abc, cache());
  EXPECT_EQ(all(file), (std::vector<std::int32_t>{0, 1, *abc->eos_id(), 2}));
}

TEST_F(Tokens, DamagedFilesAreRefusedAndMadeAnew) {
  const auto path = make("abcabc", *abc).path();
  const std::string good = read_whole_file(path);
  const std::string name = std::filesystem::relative(path, folder.path()).string();
  for (const std::string& bad : {std::string(), good.substr(1), good.substr(0, good.size() - 1), good + "x",
                                 std::string(100, 'x'), good.substr(0, good.size() - 8) + "SMTOKENX"}) {
    folder.write(name, bad);
    EXPECT_THROW(TokenFile(path, abc->vocab_size()), Error);
  }
  EXPECT_EQ(all(tokenise(find_sources(folder.path() / "data.txt"), "", *abc, cache())).size(), 6u);
  EXPECT_EQ(read_whole_file(path), good);
  EXPECT_THROW(TokenFile(path, abc->vocab_size() + 1), Error);
  std::string foreign = good;
  foreign[2] = '\x7F';  // id 127
  folder.write(name, foreign);
  const TokenFile file(path, abc->vocab_size());
  std::vector<std::int32_t> ids(6);
  EXPECT_THROW(file.read(0, ids), Error);
}

TEST_F(Tokens, LoaderSplitsAndShifts) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>('a' + i % 10);
  const TokenFile file = make(text, *abc);
  const DataLoader loader(file, 7);
  EXPECT_EQ(loader.training_tokens(), 90);
  EXPECT_EQ(loader.validation_tokens(), 10);
  std::vector<std::int32_t> inputs(28), targets(28), again(28);
  std::set<std::int32_t> starts;
  for (int step = 0; step < 50; ++step) {
    loader.training_batch(3, step, 0, inputs, targets);
    for (std::size_t i = 0; i < 28; ++i) EXPECT_EQ((inputs[i] + 1) % 10, targets[i]);
    for (std::size_t b = 0; b < 4; ++b) starts.insert(inputs[b * 7]);
  }
  EXPECT_EQ(starts.size(), 10u);
  loader.training_batch(3, 49, 0, again, targets);
  EXPECT_EQ(again, inputs);
  loader.training_batch(3, 49, 1, again, targets);
  EXPECT_NE(again, inputs);
  loader.training_batch(4, 49, 0, again, targets);
  EXPECT_NE(again, inputs);
}

TEST_F(Tokens, LoaderReachesBothEndsOfTheTrainingPart) {
  const TokenFile file = make("abcdefghij", *abc);  // 9 for training: starts 0, 1, 2 with a context of 6
  const DataLoader loader(file, 6, 0.2);            // 8 for training: starts 0 and 1
  std::set<std::int32_t> starts;
  std::vector<std::int32_t> inputs(6), targets(6);
  for (int step = 0; step < 64; ++step) {
    loader.training_batch(0, step, 0, inputs, targets);
    starts.insert(inputs[0]);
  }
  EXPECT_EQ(starts, (std::set<std::int32_t>{0, 1}));
}

TEST_F(Tokens, ValidationCoversItsWholePartOnce) {
  std::string text;
  for (int i = 0; i < 120; ++i) text += static_cast<char>('a' + i * 7 % 10);
  const TokenFile file = make(text, *abc);
  const DataLoader loader(file, 4);
  EXPECT_EQ(loader.validation_windows(), 3);  // 11 targets
  std::vector<std::int32_t> inputs(8), targets(8), seen;
  std::int64_t count = 0;
  for (std::int64_t first = 0; first < 3; first += 2) {
    const std::int64_t here = loader.validation_batch(first, inputs, targets);
    count += here;
    seen.insert(seen.end(), targets.begin(), targets.begin() + here);
    EXPECT_TRUE(std::all_of(targets.begin() + here, targets.end(), [](auto t) { return t == -1; }));
  }
  std::vector<std::int32_t> expected(11);
  file.read(109, expected);
  EXPECT_EQ(count, 11);
  EXPECT_EQ(seen, expected);
}

TEST_F(Tokens, TooShortDataNamesWhatIsMissing) {
  for (const std::string text : {"", "a", "abcdefgh"}) {
    const TokenFile file = make(text, *abc);
    try {
      const DataLoader loader(file, 64);
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_input);
      EXPECT_NE(std::string(e.what()).find("65"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace smallmind
