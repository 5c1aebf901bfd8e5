// `smallmind generate` as a user sees it, on an untrained model in a Hugging Face directory.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "io/hf_config.h"
#include "io/safetensors_writer.h"
#include "model/loader.h"
#include "tests/cli/run_program.h"
#include "tests/support/tiny_model.h"
#include "text/char_tokenizer.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

// A run directory whose `best` is a tiny model over 60 characters.
class Generate : public ::testing::Test {
 protected:
  Generate() {
    std::string characters = "\n";
    for (char c = 'A'; characters.size() < 60; ++c) characters += c;
    const auto tokenizer = CharTokenizer::from_text(characters);
    const auto model = tiny_model(tiny_config("llama", 2));
    const std::filesystem::path config = folder_.write("best/config.json", hf_config_json(model->config()));
    write_safetensors(config.parent_path() / "model.safetensors", hf_tensors(*model));
    save_tokenizer(*tokenizer, config.parent_path() / "tokenizer.json");
  }
  ProgramResult generate(const std::string& arguments, const std::string& input = "/dev/null") const {
    return run_program("generate '" + folder_.path().string() + "' " + arguments, "", input);
  }

  TempFolder folder_;
};

TEST_F(Generate, SameSeedSameBytes) {
  const ProgramResult first = generate("--prompt HELLO --tokens 300 --seed 7 --ignore-end");
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_GE(first.out.size(), 250u);  // an end-of-text token has no text
  EXPECT_LE(first.out.size(), 301u);
  EXPECT_NE(first.err.find("300 tokens"), std::string::npos) << first.err;
  EXPECT_EQ(generate("--prompt HELLO --tokens 300 --seed 7 --ignore-end --threads 1").out, first.out);
  EXPECT_EQ(generate("--prompt HELLO --tokens 300 --seed 7 --ignore-end --threads 2 --quiet").out, first.out);
  EXPECT_NE(generate("--prompt HELLO --tokens 300 --seed 8 --ignore-end").out, first.out);
  EXPECT_EQ(generate("--prompt - --tokens 300 --seed 7 --ignore-end", folder_.write("prompt", "HELLO")).out,
            first.out);
  EXPECT_EQ(generate("--prompt HELLO --tokens 300 --seed 7 --ignore-end --echo").out, "HELLO" + first.out);
}

TEST_F(Generate, JsonSaysWhatHappened) {
  const ProgramResult result = generate("--prompt AB --tokens 20 --seed 3 --ignore-end --json --quiet");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const nlohmann::json document = parse_json(result.out, "output");
  EXPECT_EQ(document["tokens"].size(), 20u);
  EXPECT_EQ(document["prompt_tokens"], 2);
  EXPECT_EQ(document["finish_reason"], "length");
  const std::string text = document["text"];
  const std::string stop = text.substr(5, 2);
  const ProgramResult stopped =
      generate("--prompt AB --tokens 20 --seed 3 --ignore-end --json --stop zzz --stop '" + stop + "'");
  const nlohmann::json second = parse_json(stopped.out, "output");
  EXPECT_EQ(second["finish_reason"], "stop_string");
  EXPECT_EQ(second["text"], text.substr(0, text.find(stop)));
}

TEST_F(Generate, WeightsMayBeRounded) {
  const std::string arguments = "--prompt AB --tokens 20 --seed 3 --ignore-end --quiet --weights ";
  for (const char* type : {"f32", "f16", "bf16"}) {
    const ProgramResult one = generate(arguments + type + " --threads 1");
    ASSERT_EQ(one.status, 0) << one.err;
    EXPECT_EQ(generate(arguments + type + " --threads 2").out, one.out) << type;
  }
  EXPECT_EQ(generate(arguments + "q3").status, 1);
}

TEST_F(Generate, AnEmptyPromptBeginsAText) {
  EXPECT_EQ(generate("--tokens 5 --seed 1").status, 0);
}

TEST_F(Generate, MistakesAreNamed) {
  EXPECT_EQ(generate("--top-p 0").status, 1);
  EXPECT_EQ(generate("--temperature=-1").status, 1);
  EXPECT_EQ(generate("--tokens 0").status, 1);
  EXPECT_EQ(generate("--stop ''").status, 1);
  const ProgramResult unknown = generate("--prompt '~'");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("U+007E"), std::string::npos) << unknown.err;
  EXPECT_EQ(run_program("generate /nowhere").status, 2);
  EXPECT_EQ(run_program("generate").status, 1);
}

}  // namespace
}  // namespace smallmind
