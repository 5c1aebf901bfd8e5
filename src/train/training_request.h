// What a user asks of a training run, and what it means for a model and its training. What is not given stays
// absent: a resumed run then takes it from its checkpoint, a new one from the defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/model_config.h"
#include "text/tokenizer.h"
#include "train/settings.h"

namespace smallmind {

// How often things happen besides steps; 0: never.
struct TrainRhythm {
  std::int64_t evaluate = 250;
  std::int64_t save = 250;
  std::int64_t sample = 0;
  std::int64_t keep = 3;  // checkpoints
};

struct TrainingRequest {
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
  bool resume = false, force = false;
};

// The shape of a new model unless the request says otherwise; its vocabulary is the tokenizer's.
ModelConfig default_model();

// The shape: preset and request over `base` (the checkpoint's, or the defaults for a new run), for this
// tokenizer. Throws as preset() and ModelConfig::validate() do.
ModelConfig configure_model(const TrainingRequest& request, const ModelConfig& base,
                            const Tokenizer& tokenizer);

// The settings: request over `base`. fresh: defaults that depend on others (the horizon, the least rate)
// follow them.
TrainSettings configure_training(const TrainingRequest& request, const TrainSettings& base, bool fresh);

}  // namespace smallmind
