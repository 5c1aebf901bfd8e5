// smallmind export: a model as one GGUF file for llama.cpp, or as a Hugging Face directory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/command.h"
#include "cli/gguf_vocabulary.h"
#include "io/hf_config.h"
#include "io/safetensors_writer.h"
#include "model/loader.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  std::string model;
  std::string out;
  std::string type = "f32";
};

// A tokenizer that cannot name each of the model's rows is another model's.
std::unique_ptr<Tokenizer> tokenizer_of(const fs::path& directory, const ModelConfig& config) {
  std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(directory);
  if (tokenizer->vocab_size() > config.vocab) {
    fail_input("[export] a tokenizer of at most {} tokens (the model's) expected, {} found ({})",
               config.vocab, tokenizer->vocab_size(), directory.string());
  }
  return tokenizer;
}

ModelConfig config_with_special_tokens(ModelConfig config, const Tokenizer& tokenizer) {
  if (config.eos < 0) config.eos = tokenizer.eos_id().value_or(-1);
  if (config.bos < 0) config.bos = tokenizer.bos_id().value_or(-1);
  return config;
}

std::vector<TensorToWrite> gguf_tensors(const Model& model) {
  std::vector<TensorToWrite> tensors;
  model.visit([&tensors](const Param& param) {
    std::vector<std::int64_t> shape{param.cols};
    if (param.is_matrix()) shape.insert(shape.begin(), param.rows);
    const std::span<const float> values(param.data, static_cast<std::size_t>(param.size()));
    tensors.push_back(tensor_in_memory(param.name, DType::f32, std::move(shape), values));
  });
  return tensors;
}

void write_directory(const fs::path& out, const Model& model, const Tokenizer& tokenizer,
                     const ModelConfig& config, DType type) {
  if (fs::exists(out)) fail_usage("[export] a new directory expected, {} exists", out.string());
  AtomicDirectory directory(out);
  write_file_atomically(directory.path() / "config.json", hf_config_json(config));
  write_file_atomically(directory.path() / "generation_config.json", generation_config_json(config, {}));
  save_tokenizer(tokenizer, directory.path() / "tokenizer.json");
  write_safetensors(directory.path() / "model.safetensors", hf_tensors(model, type));
  directory.commit();
}

void run_export(const ExportOptions& options, const CliContext& context) {
  const fs::path out = options.out;
  const bool gguf = out.extension() == ".gguf";
  if (!gguf && (out.extension() == ".safetensors" || out.extension() == ".bin")) {
    fail_usage("[export] FILE.gguf or a directory expected, {} given", options.out);
  }
  const fs::path directory = resolve_model_directory(options.model);
  const std::unique_ptr<Model> model = load_model(directory);
  const std::unique_ptr<Tokenizer> tokenizer = tokenizer_of(directory, model->config());
  const ModelConfig config = config_with_special_tokens(model->config(), *tokenizer);
  const DType type = weight_type(options.type);
  if (gguf) {
    const std::string name = fs::weakly_canonical(options.model).filename().string();
    write_gguf_model(out, config, name, gguf_vocabulary(*tokenizer), gguf_tensors(*model), type);
  } else {
    write_directory(out, *model, *tokenizer, config, type);
  }
  if (!context.quiet) {
    print_out(fmt::format("wrote {}: {}, {} parameters, {}, {} tokens\n", options.out, config.arch,
                          config.parameter_count(), dtype_name(type), tokenizer->vocab_size()));
  }
}

}  // namespace

void add_export(CLI::App& app, const CliContext& context) {
  CLI::App* command =
      app.add_subcommand("export", "Write a model as a GGUF file or a Hugging Face directory");
  auto options = std::make_shared<ExportOptions>();
  command->add_option("model", options->model, "A training run or a model directory")->required();
  command->add_option("out", options->out, "FILE.gguf (for llama.cpp), or a new directory (for Transformers)")
      ->required();
  command->add_option("--type", options->type, "Element type of the matrices: f32, f16 or bf16")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->capture_default_str();
  command->callback([options, &context] { run_export(*options, context); });
}

}  // namespace smallmind
