// Train a model on text: a tokenizer, a model and a training run in one call.
//
//   smallmind::TrainOptions options;
//   options.data = "stories.txt";
//   options.out = "run1";
//   const smallmind::TrainReport report = smallmind::train(options, [](const smallmind::TrainStatus& s) {
//     std::cerr << s.step << " " << s.loss << "\n";
//     return true;  // false: finish the step, save, return
//   });
//
// The run directory is what `smallmind train` writes: checkpoints that are complete Hugging Face directories,
// `best` and `latest`, and a log. LanguageModel::load reads it. The same options give the same weights, bit
// for bit, with any number of threads. Errors are thrown as smallmind::Error; code() is `diverged` when the
// loss did not stay finite.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "smallmind/error.h"

namespace smallmind {

struct TrainOptions {
  std::filesystem::path data;  // text, json, jsonl, csv, tsv, xml; a file or a directory of them
  std::filesystem::path out =
      "run1";           // locked while training; must not hold a run unless resume or replace is set
  std::string field{};  // field, column or element that holds the text; empty: "text"
  std::string tokenizer = "bpe";   // "char", "bpe", or the path of a tokenizer.json
  std::int32_t vocab_size = 1024;  // of a new bpe tokenizer

  std::string
      preset{};        // a shape by name ("small", "gpt2-124m", ...); the sizes below then count only if set
  std::string arch{};  // "gpt2" (default) or "llama"
  std::int64_t layers =
      0;  // sizes: 0 takes the preset's or the default (4 layers, 4 heads, width 128, context 64)
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t width = 0;
  std::int64_t ffn = 0;
  std::int64_t context = 0;
  float dropout = 0.0f;

  std::int64_t batch = 12;      // windows of `context` tokens in one forward pass
  std::int64_t accumulate = 1;  // forward passes in one step
  std::int64_t steps = 2000;
  double learning_rate = 1e-3;  // AdamW, warm-up of 100 steps (at most a tenth), cosine to a tenth
  float weight_decay = 0.1f;    // of matrices
  std::uint64_t seed = 1337;
  int threads = 0;                    // 0: as many as cgroup limits and affinity give
  std::int64_t evaluate_every = 250;  // steps; 0: at the end
  std::int64_t save_every = 250;      // steps; 0: at the end
  bool resume = false;                // go on from the newest sound checkpoint of `out`
  bool replace = false;               // delete the run that `out` holds
};

struct TrainStatus {
  std::int64_t step = 0, steps = 0;  // done, and wanted
  double loss = 0;                   // of the last step
  std::optional<double> val_loss;    // the last one
  double tokens_per_second = 0;      // without evaluation and saving
  double seconds_left = 0;
};

struct TrainReport {
  std::int64_t steps = 0;
  double train_loss = 0;
  std::optional<double> val_loss;  // of the last weights; absent where training was stopped before
  double tokens_per_second = 0;
  double flops_per_token = 0;   // forward and backward
  std::int64_t peak_bytes = 0;  // largest resident memory of the process
  bool stopped = false;         // before the last step
};

// Called after each step, on the calling thread; false stops after saving.
using OnTrainStatus = std::function<bool(const TrainStatus&)>;

// Returns when all steps are done, or when `stop` was requested or the callback returned false: then the
// present step is finished and saved first. Not more than one call at a time may use one run directory.
TrainReport train(const TrainOptions& options, const OnTrainStatus& on_status = {},
                  std::stop_token stop = {});

}  // namespace smallmind
