// Load a model and let it write: the embedding interface of SmallMind.
//
//   smallmind::LanguageModel model = smallmind::LanguageModel::load("run1");
//   model.generate("Once upon a time", {.max_tokens = 100}, [](std::string_view text) { std::cout << text;
//   return true; });
//
// Errors are thrown as smallmind::Error. A LanguageModel owns its threads and memory; distinct models are
// independent, one model serves one call at a time (calls from several threads must be serialised by the
// caller).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "smallmind/error.h"

namespace smallmind {

struct LoadModelOptions {
  int threads = 0;           // 0: as many as cgroup limits and affinity give
  std::int64_t context = 0;  // positions of the KV cache; 0: the model's context, which is also the most
};

struct GenerationOptions {
  std::int64_t max_tokens = 256;
  float temperature = 1.0f;          // 0: the most probable token, always
  int top_k = 0;                     // keep the k most probable tokens; 0: all
  float top_p = 1.0f;                // keep the fewest tokens whose probabilities sum to at least p; 1: all
  float min_p = 0.0f;                // keep tokens of at least p times the largest probability; 0: all
  float repetition_penalty = 1.0f;   // of tokens in prompt or output (Keskar et al. 2019); 1: none
  float presence_penalty = 0.0f;     // subtracted once from the logit of a token in the output
  float frequency_penalty = 0.0f;    // subtracted for each time that a token is in the output
  std::uint64_t seed = 0;            // the same seed gives the same bytes with any number of threads
  std::vector<std::string> stops{};  // end the text; not part of it
};

struct GenerationResult {
  std::string text;           // what was generated, whole UTF-8 characters
  std::string finish_reason;  // "length", "end_of_text", "stop_string" or "cancelled"
  std::int64_t prompt_tokens = 0;
  std::int64_t generated_tokens = 0;
  double first_token_seconds = 0;  // from the call to the first token
  double decode_seconds = 0;       // for the tokens after it
};

struct ModelInfo {
  std::string architecture;  // "gpt2", "llama"
  std::int64_t parameters = 0, vocab = 0, context = 0, width = 0, layers = 0, heads = 0, kv_heads = 0;
};

class LanguageModel {
 public:
  // `path`: a Hugging Face directory (config.json, safetensors, tokenizer.json), or a training run, whose
  // best checkpoint is taken. Throws bad_input naming what is missing or damaged.
  static LanguageModel load(const std::filesystem::path& path, const LoadModelOptions& options = {});
  ~LanguageModel();
  LanguageModel(LanguageModel&&) noexcept;
  LanguageModel& operator=(LanguageModel&&) noexcept;

  ModelInfo info() const;

  // Text to token ids and back. Control tokens in the text are ordinary characters. Throws bad_input for text
  // that the vocabulary cannot express, or ids that it does not have.
  std::vector<std::int32_t> tokenize(std::string_view text) const;
  std::string detokenize(std::span<const std::int32_t> tokens) const;

  // Called with each piece of text as it appears, never an empty one; false ends the generation.
  using OnText = std::function<bool(std::string_view)>;

  // Generates from a prompt. A request to stop ends it before the next token, with finish_reason "cancelled".
  // Throws usage for options out of range or an empty prompt, and whatever `on_text` throws.
  GenerationResult generate(std::string_view prompt, const GenerationOptions& options = {},
                            const OnText& on_text = {}, std::stop_token stop = {});

  // Logits (n, vocab), row-major, after each of the n tokens of one text. Throws usage for tokens that the
  // model does not have and for more tokens than its context.
  std::vector<float> logits(std::span<const std::int32_t> tokens);

 private:
  struct Impl;
  explicit LanguageModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace smallmind
