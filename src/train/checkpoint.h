// One checkpoint: a complete Hugging Face directory that training can go on from.
//
//   config.json, generation_config.json, tokenizer.json, model.safetensors    what any program can load
//   optimizer.safetensors                                                     moments: "m.NAME" and "v.NAME",
//   NAME as in GGUF trainer_state.json                                                        step, settings,
//   and size and checksum (XXH3,
//                                                                             128 bits) of every other file
//                                                                             and of itself
// The directory appears under its name whole and durable, or not at all (base/atomic_file.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/file_system.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include "train/optimizer.h"
#include "train/settings.h"
#include "train/spikes.h"

namespace smallmind {

struct TrainerState {
  std::int64_t step = 0;     // steps done
  std::int64_t updates = 0;  // of the optimizer: steps done without those skipped
  double train_loss = 0;     // of the last step
  std::optional<double> val_loss;
  std::int64_t best_step = -1;  // of the checkpoint with the lowest validation loss; -1: none yet
  double best_val_loss = 0;
  double lr_scale = 1;  // halved at every roll-back
  std::int64_t skipped = 0, rollbacks = 0;
  SpikeWindow loss_window, norm_window;
  RunIdentity identity;
  std::string data_path, field;
};

// Writes everything to a new directory `target`. Throws Error (bad_input), naming the bytes needed on a full
// disk; then nothing of it is left. The model's weights must be finite.
void write_checkpoint(const std::filesystem::path& target, const Model& model, const AdamW& optimizer,
                      const Tokenizer& tokenizer, const TrainerState& state,
                      const FileSystem& fs = posix_file_system());

// Reads trainer_state.json and checks its own checksum. Throws Error (bad_input).
TrainerState read_trainer_state(const std::filesystem::path& directory);

// Checks sizes and checksums of all files. Throws Error (bad_input), naming the file that is not as it was
// written.
void verify_checkpoint(const std::filesystem::path& directory);

// Reads weights and moments into a model and an optimizer of the same shape. Throws Error (bad_input).
void load_checkpoint(const std::filesystem::path& directory, Model& model, AdamW& optimizer);

// The hash by which a tokenizer and data are known again.
std::string tokenizer_hash(const Tokenizer& tokenizer);

}  // namespace smallmind
