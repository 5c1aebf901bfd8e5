// What decides the result of a training run, and what a checkpoint therefore holds.
//
// Two runs with the same settings, model, tokenizer and data give the same weights, bit for bit, whatever the
// number of threads and however often they were stopped and resumed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/model_config.h"
#include "train/lr_schedule.h"
#include "train/optimizer.h"

namespace smallmind {

struct TrainSettings {
  std::int64_t batch = 12;      // windows in one forward pass
  std::int64_t accumulate = 1;  // forward passes in one step
  std::int64_t steps = 2000;
  std::uint64_t seed = 1337;  // initialisation, windows and dropout
  double validation_share = 0.1;
  LrSchedule schedule{.warmup = 100, .horizon = 2000};
  AdamWSettings optimizer;
  double skip_loss_z =
      0;  // a step whose loss is that many deviations above the last 128 is skipped; 0: never
  double skip_norm_z = 0;  // the same for the norm of the gradients
  std::int64_t most_bad_steps =
      5;  // that many steps in a row without a finite loss and gradient: back to the checkpoint

  bool operator==(const TrainSettings&) const = default;
  void validate() const;  // throws Error (usage), naming the field
};

// All that must be the same when a run is resumed.
struct RunIdentity {
  ModelConfig model;
  TrainSettings settings;
  std::string data_hash;  // of the sources' bytes and the field
  std::string tokenizer_hash;
};

// One line of text per difference, e.g. "batch: 12 in the checkpoint, 16 now". The number of steps may
// differ.
std::vector<std::string> differences(const RunIdentity& saved, const RunIdentity& now);

// Settings as the text of a JSON object, and back; where names the source in errors (bad_input).
std::string settings_to_json(const TrainSettings& settings);
TrainSettings settings_from_json(std::string_view json, std::string_view where);

}  // namespace smallmind
