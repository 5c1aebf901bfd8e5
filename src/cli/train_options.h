// The options of `smallmind train`, and what they mean for a model and its training. An option that is not
// given stays absent: a resumed run then takes it from its checkpoint.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "io/model_config.h"
#include "text/tokenizer.h"
#include "train/trainer.h"

namespace smallmind {

struct TrainOptions {
  std::string data, out = "run1", field;
  std::optional<std::string> tokenizer, arch, preset, schedule;
  std::optional<std::int32_t> vocab_size;
  std::optional<std::int64_t> layers, heads, kv_heads, width, ffn, context, batch, accumulate, steps, warmup,
      decay_steps, decay_every;
  std::optional<double> lr, min_lr, decay_factor, skip_loss_z, skip_norm_z;
  std::optional<float> dropout, weight_decay, beta1, beta2, clip;
  std::optional<std::uint64_t> seed;
  bool tied = false, untied = false;
  TrainRhythm rhythm;
  bool resume = false, force = false, json = false, profile = false;
};

void add_train_options(CLI::App& command, TrainOptions& options);

// The shape: preset and options over `base` (the checkpoint's, or the defaults for a new run), for this
// tokenizer. Throws as preset() and ModelConfig::validate() do.
ModelConfig configure_model(const TrainOptions& options, const ModelConfig& base, const Tokenizer& tokenizer);
ModelConfig default_model();

// The settings: options over `base`. fresh: defaults that depend on others (the horizon, the least rate)
// follow them.
TrainSettings configure_training(const TrainOptions& options, const TrainSettings& base, bool fresh);

}  // namespace smallmind
