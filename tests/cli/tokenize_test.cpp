// smallmind tokenize: learning, encoding, decoding and counting, and the statuses of its failures.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"

namespace smallmind {
namespace {

class TokenizeCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(corpus_) << "the cat and the dog saw the bird\nthe end of the day\n";
    const ProgramResult result =
        run_program("tokenize train '" + corpus_ + "' --vocab 270 --min-count 1 --json --quiet --out '" +
                    tokenizer_ + "'");
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(nlohmann::json::parse(result.out)["vocab_size"], 270);
  }

  std::string run(const std::string& arguments) {
    const ProgramResult result = run_program("tokenize '" + tokenizer_ + "' " + arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }

  TempFolder folder_;
  std::string corpus_ = folder_.path() / "corpus.txt";
  std::string tokenizer_ = folder_.path() / "tokenizer.json";
};

TEST_F(TokenizeCommand, encodes_and_decodes) {
  const std::string ids = run("'the caf\xC3\xA9 <|endoftext|>'");
  EXPECT_EQ(run("--decode '" + ids + "'"), "the caf\xC3\xA9 <|endoftext|>");
  EXPECT_EQ(run("--parse-special '<|endoftext|>'"), "269\n");
  EXPECT_EQ(run("--decode 269"), "");
  EXPECT_EQ(run("--decode --parse-special '[269]'"), "<|endoftext|>");
}

TEST_F(TokenizeCommand, reads_directories_files_and_standard_input) {
  const std::string ids = run("'the cat'");
  EXPECT_EQ(run(""), "\n");  // standard input is empty here
  EXPECT_EQ(run_program("tokenize '" + std::string(folder_.path()) + "' 'the cat'").out, ids);
  std::ofstream(folder_.path() / "text") << "the cat";
  EXPECT_EQ(run("--file '" + std::string(folder_.path() / "text") + "'"), ids);
  const auto spaces = std::count(ids.begin(), ids.end(), ' ');
  EXPECT_EQ(run("--count --file '" + std::string(folder_.path() / "text") + "'"),
            std::to_string(spaces + 1) + "\n");
}

TEST_F(TokenizeCommand, speaks_json) {
  const auto document = nlohmann::json::parse(run("'the cat' --json"));
  EXPECT_EQ(document["kind"], "bpe");
  EXPECT_EQ(document["bytes"], 7);
  EXPECT_EQ(document["tokens"], document["ids"].size());
  EXPECT_FALSE(nlohmann::json::parse(run("'the cat' --json --count")).contains("ids"));
  EXPECT_EQ(nlohmann::json::parse(run("--decode --json '" + run("'the cat'") + "'"))["text"], "the cat");
  std::ofstream(folder_.path() / "lines") << "\"the cat\"\n\"a\\nb\"\n\"\"\n";
  const std::string lines = run("--jsonl --file '" + std::string(folder_.path() / "lines") + "'");
  EXPECT_EQ(lines.substr(0, lines.find('\n')), document["ids"].dump());
  EXPECT_TRUE(lines.ends_with("\n[]\n")) << lines;
}

TEST_F(TokenizeCommand, learns_characters) {
  const std::string file = folder_.path() / "char.json";
  ASSERT_EQ(run_program("tokenize train '" + corpus_ + "' --tokenizer char --out '" + file + "'").status, 0);
  EXPECT_EQ(run_program("tokenize '" + file + "' 'tac' --json").out.find("\"kind\":\"bpe\""),
            std::string::npos);
  const ProgramResult unknown = run_program("tokenize '" + file + "' 'X'");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("U+0058"), std::string::npos) << unknown.err;
}

TEST_F(TokenizeCommand, fails_with_the_status_of_the_cause) {
  const auto status = [&](const std::string& arguments) {
    return run_program("tokenize " + arguments).status;
  };
  EXPECT_EQ(status(""), 1);
  EXPECT_EQ(status("train '" + corpus_ + "'"), 1);
  EXPECT_EQ(status("train '" + corpus_ + "' --vocab 255 --out x"), 1);
  EXPECT_EQ(status("'" + tokenizer_ + "' x --count --decode"), 1);
  EXPECT_EQ(status("'" + tokenizer_ + "' x --file y"), 1);
  EXPECT_EQ(status("'" + tokenizer_ + "' --decode 270"), 2);
  EXPECT_EQ(status("'" + tokenizer_ + "' --decode -- -1"), 2);
  EXPECT_EQ(status("'" + tokenizer_ + "' --decode 99999999999"), 2);
  EXPECT_EQ(status("'" + tokenizer_ + "' --decode 12x"), 2);
  EXPECT_EQ(status("'" + corpus_ + "' x"), 2);
  EXPECT_EQ(status("'" + tokenizer_ + "' --file /no/such/file"), 2);
  EXPECT_EQ(status("train /no/such/file --out x"), 2);
}

}  // namespace
}  // namespace smallmind
