// A small data set, model and run for tests of training: milliseconds per step.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "tests/base/temp_folder.h"
#include "text/char_tokenizer.h"
#include "train/trainer.h"

namespace smallmind {

inline ModelConfig small_config(const char* arch, const Tokenizer& tokenizer, float dropout = 0.0f) {
  ModelConfig c;
  c.arch = arch;
  c.vocab = tokenizer.vocab_size();
  c.context = 16;
  c.width = 32;
  c.layers = 2;
  c.heads = 4;
  c.kv_heads = c.arch == "llama" ? 2 : 4;
  c.head_width = 8;
  c.ffn = 64;
  c.dropout = dropout;
  c.activation = c.arch == "llama" ? Activation::silu : Activation::gelu_tanh;
  c.eos = tokenizer.eos_id().value_or(-1);
  return c;
}

inline std::unique_ptr<Model> small_model(const ModelConfig& config, std::uint64_t seed = 1) {
  std::unique_ptr<Model> model = make_model(config);
  model->allocate(true);
  model->initialise(seed);
  return model;
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

class TrainTest : public testing::Test {
 protected:
  TrainTest() {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i * i % 97) + " of the text\n";
    const auto path = folder.write("data.txt", text);
    tokenizer = CharTokenizer::from_text(text);
    tokens.emplace(tokenise(find_sources(path), "", *tokenizer, folder.path() / "cache"));
  }

  // Settings of a short run that uses everything that could break repeatability.
  static TrainSettings settings(std::int64_t steps) {
    TrainSettings s;
    s.batch = 3;
    s.accumulate = 2;
    s.steps = steps;
    s.schedule = {.lr = 3e-3, .min_lr = 1e-4, .warmup = 3, .horizon = 20};
    return s;
  }

  TrainerState start(const Model& model, const TrainSettings& settings) const {
    TrainerState state;
    state.identity = {model.config(), settings, tokens->content_hash(), tokenizer_hash(*tokenizer)};
    return state;
  }

  struct Run {
    std::unique_ptr<Model> model;
    TrainResult result;
    std::vector<double> losses;
  };
  // Trains in folder/NAME, from its newest checkpoint if `resume`.
  Run train(const std::string& name, const ModelConfig& config, const TrainSettings& settings, int threads,
            bool resume = false, TrainEvents events = {},
            TrainRhythm rhythm = {.evaluate = 0, .save = 5}) const {
    Run run{small_model(config), {}, {}};
    ThreadPool pool(threads);
    RunDirectory directory(folder.path() / name);
    const DataLoader loader(*tokens, config.context);
    const auto on_step = events.on_step;
    events.on_step = [&](const TrainProgress& p) {
      run.losses.push_back(p.loss);
      if (on_step) on_step(p);
    };
    Trainer trainer(*run.model, *tokenizer, loader, pool, directory, start(*run.model, settings), rhythm,
                    events);
    if (resume) trainer.resume(directory.newest_sound_checkpoint().value());
    run.result = trainer.run();
    return run;
  }

  TempFolder folder;
  std::unique_ptr<CharTokenizer> tokenizer;
  std::optional<TokenFile> tokens;
};

}  // namespace smallmind
