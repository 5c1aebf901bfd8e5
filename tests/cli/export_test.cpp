// inspect and export: what they say of models and files, and that llama.cpp goes on as we do.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "io/gguf_reader.h"
#include "io/hf_config.h"
#include "io/safetensors_writer.h"
#include "model/loader.h"
#include "tests/cli/run_program.h"
#include "text/bpe_trainer.h"
#include "text/char_tokenizer.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

constexpr const char* kText =
    "To be, or not to be: that is the question.\nNa\xc3\xafve caf\xc3\xa9 \xe2\x82\xac 5 \xf0\x9f\x98\x80 "
    "and so on, 1234567!\n";

ModelConfig small_config(const char* arch, std::int64_t vocab) {
  ModelConfig config;
  config.arch = arch;
  config.vocab = vocab;
  config.context = 256;
  config.width = 64;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = config.arch == "gpt2" ? 4 : 2;
  config.head_width = 16;
  config.ffn = 160;
  config.tied = config.arch == "gpt2";
  config.activation = config.arch == "gpt2" ? Activation::gelu_tanh : Activation::silu;
  return config;
}

// A model with random weights far from the linear regime, as a Hugging Face directory.
void save_random_model(const fs::path& directory, const char* arch, const Tokenizer& tokenizer) {
  const std::unique_ptr<Model> model = make_model(small_config(arch, tokenizer.vocab_size()));
  model->allocate(false);
  model->initialise(3);
  for (float& value : model->values()) value *= 4;
  fs::create_directories(directory);
  write_file_atomically(directory / "config.json", hf_config_json(model->config()));
  save_tokenizer(tokenizer, directory / "tokenizer.json");
  write_safetensors(directory / "model.safetensors", hf_tensors(*model));
}

std::string quoted(const fs::path& path) {
  return "'" + path.string() + "'";
}

nlohmann::json inspected(const fs::path& path) {
  const ProgramResult result = run_program("inspect --json " + quoted(path));
  EXPECT_EQ(result.status, 0) << result.err;
  return nlohmann::json::parse(result.out);
}

class Export : public ::testing::Test {
 protected:
  Export() : tokenizer_(CharTokenizer::from_text(kText)) {
    save_random_model(run_ / "latest", "gpt2", *tokenizer_);  // as a training run keeps it
  }

  TempFolder folder_;
  fs::path run_ = folder_.path() / "run1";
  std::unique_ptr<CharTokenizer> tokenizer_;
};

TEST_F(Export, InspectShowsTheModel) {
  const nlohmann::json summary = inspected(run_);
  const ModelConfig config = small_config("gpt2", tokenizer_->vocab_size());
  EXPECT_EQ(summary.at("parameters"), config.parameter_count());
  EXPECT_EQ(summary.at("elements"), config.parameter_count());
  EXPECT_EQ(summary.at("bytes"), 4 * config.parameter_count());
  EXPECT_EQ(summary.at("config").at("norm_eps"), 1e-5);
  EXPECT_EQ(summary.at("tokenizer"), fmt::format("char, {} tokens", tokenizer_->vocab_size()));
  EXPECT_EQ(summary.at("tensors").size(), 2 + 2 * 12 + 2);
  const ProgramResult text = run_program("inspect " + quoted(run_));
  EXPECT_NE(text.out.find("architecture  gpt2"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("transformer.h.1.attn.c_attn.weight"), std::string::npos) << text.out;
  EXPECT_EQ(inspected(run_ / "latest" / "model.safetensors").at("format"), "safetensors");
}

TEST_F(Export, GgufHasTheSameWeights) {
  const fs::path out = folder_.path() / "m.gguf";
  const ProgramResult result = run_program("export " + quoted(run_) + " " + quoted(out));
  ASSERT_EQ(result.status, 0) << result.err;
  const std::unique_ptr<Model> model = load_model(run_ / "latest");
  const TensorSource source = open_gguf(out);
  EXPECT_EQ(source.metadata().at("general.name"), "run1");
  EXPECT_EQ(source.metadata().at("tokenizer.ggml.eos_token_id"), std::to_string(*tokenizer_->eos_id()));
  model->visit([&](const Param& param) {
    const StoredTensor& tensor = source.at(param.name);
    ASSERT_EQ(tensor.elements(), param.size());
    EXPECT_EQ(std::memcmp(tensor.data.data(), param.data, tensor.data.size()), 0) << param.name;
  });
  const nlohmann::json summary = inspected(out);
  EXPECT_EQ(summary.at("format"), "gguf");
  EXPECT_EQ(summary.at("parameters"), model->parameter_count());
}

TEST_F(Export, DirectoryIsAModelAgain) {
  const fs::path out = folder_.path() / "hf";
  const std::string arguments = "export " + quoted(run_) + " " + quoted(out) + " --type bf16";
  const ProgramResult result = run_program(arguments);
  ASSERT_EQ(result.status, 0) << result.err;
  const nlohmann::json summary = inspected(out);
  EXPECT_EQ(summary.at("tensors").at(0).at("type"), "BF16");
  EXPECT_EQ(summary.at("parameters"), inspected(run_).at("parameters"));
  EXPECT_TRUE(fs::exists(out / "generation_config.json"));
  EXPECT_EQ(read_whole_file(out / "tokenizer.json"), read_whole_file(run_ / "latest" / "tokenizer.json"));
  EXPECT_EQ(run_program(arguments).status, 1);  // it exists now
}

TEST_F(Export, RefusalsAreClear) {
  const auto refusal = [](const std::string& arguments, int status) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.status, status) << result.err;
    return result.err;
  };
  const std::string run = quoted(run_);
  EXPECT_NE(refusal("export nowhere x.gguf", 2).find("nowhere"), std::string::npos);
  EXPECT_NE(refusal("export " + run + " x.bin", 1).find("FILE.gguf"), std::string::npos);
  EXPECT_NE(refusal("export " + run + " x.gguf --type q4", 1).find("q4"), std::string::npos);
  EXPECT_NE(refusal("inspect " + run + " --out x", 1).find("--logits"), std::string::npos);
  EXPECT_NE(refusal("inspect nowhere", 2).find("nowhere"), std::string::npos);
  const fs::path pickle = folder_.write("pytorch_model.bin", "\x80\x02}");
  EXPECT_NE(refusal("inspect " + quoted(pickle), 2).find("pickle"), std::string::npos);
  const fs::path ids = folder_.write("ids.json", "[1, 999]");
  EXPECT_NE(refusal("inspect " + run + " --logits " + quoted(ids) + " --out x", 2).find("999"),
            std::string::npos);
  fs::remove(run_ / "latest" / "tokenizer.json");
  EXPECT_NE(refusal("export " + run + " x.gguf", 2).find("tokenizer.json"), std::string::npos);
  EXPECT_EQ(refusal("inspect " + run, 0), "");
}

TEST_F(Export, LogitsOfIds) {
  const fs::path ids = folder_.write("ids.json", "[1, 2, 3]");
  const fs::path out = folder_.path() / "logits.f32";
  const std::string arguments =
      "inspect " + quoted(run_) + " --logits " + quoted(ids) + " --out " + quoted(out);
  ASSERT_EQ(run_program(arguments).status, 0);
  const std::string logits = read_whole_file(out);
  EXPECT_EQ(logits.size(), 3u * 4u * static_cast<std::size_t>(tokenizer_->vocab_size()));
  ASSERT_EQ(run_program(arguments + " --threads 1").status, 0);
  EXPECT_EQ(read_whole_file(out), logits);
}

// The script exports, asks llama.cpp and compares; status 77 means that llama.cpp is not installed.
int compare_with_llama_cpp(const fs::path& model, const Tokenizer& tokenizer, const char* type) {
  std::string ids;
  for (const int32_t id : tokenizer.encode(kText)) ids += (ids.empty() ? "" : ",") + std::to_string(id);
  const std::string command = "/usr/bin/python3 '" SM_SOURCE_DIR
                              "/bench/baselines/export_vs_llama_cpp.py' --program '" SM_PROGRAM "' --type " +
                              std::string(type) + " --ids " + ids + " --text '" + kText + "' " +
                              quoted(model) + " >&2";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Export, LlamaCppContinuesACharacterModelAsWeDo) {
  const int status = compare_with_llama_cpp(run_, *tokenizer_, "f32");
  if (status == 77) GTEST_SKIP() << "skipped: node-llama-cpp is not installed in bench/baselines";
  EXPECT_EQ(status, 0);
}

TEST_F(Export, LlamaCppContinuesABpeModelAsWeDo) {
  for (const std::string_view pattern : {kGpt2Pattern, kLlama3Pattern}) {
    BpeTrainerOptions options;
    options.vocab_size = 300;
    options.pattern = pattern;
    BpeTrainer trainer(options);
    for (int i = 0; i < 3; ++i) trainer.add(kText);
    const std::unique_ptr<BpeTokenizer> tokenizer = trainer.train();
    const fs::path directory = folder_.path() / ("bpe" + std::to_string(pattern.size()));
    save_random_model(directory, "llama", *tokenizer);
    for (const char* type : {"f32", "f16"}) {
      const int status = compare_with_llama_cpp(directory, *tokenizer, type);
      if (status == 77) GTEST_SKIP() << "skipped: node-llama-cpp is not installed in bench/baselines";
      EXPECT_EQ(status, 0) << type;
    }
  }
}

}  // namespace
}  // namespace smallmind
