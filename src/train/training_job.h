// A whole training run, from data on disk to checkpoints: what `smallmind train` and the library's train()
// both are.
//
// The constructor does everything before the first step, in the order in which it is needed: finds where to
// start (a new run, or the newest sound checkpoint), reads or learns the tokenizer, tokenises the data, and
// builds the model. run() trains. What a run must not change when it is resumed is checked here
// (RunIdentity).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/thread_pool.h"
#include "train/trainer.h"
#include "train/training_request.h"

namespace smallmind {

class TrainingJob {
 public:
  // Sees what is going on before the first step, e.g. "tokenising: 12 of 40 MiB"; may be called often.
  using OnStatus = std::function<void(const std::string& text)>;

  // Token files are kept in token_cache, or in the run's own directory where it is empty. Throws Error{usage}
  // for requests that cannot be (an occupied directory without resume or force, a resumed run that differs),
  // Error{bad_input} for data and checkpoints that are not as they must be, and for a model that does not fit
  // the memory.
  TrainingJob(TrainingRequest request, ThreadPool& pool, std::filesystem::path token_cache = {},
              OnStatus on_status = {});

  // Trains up to the wanted steps. Throws as Trainer::run does.
  TrainResult run(TrainEvents events);

  bool resumed() const noexcept { return checkpoint_.has_value(); }
  const Model& model() const noexcept { return *model_; }
  const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  const DataLoader& loader() const noexcept { return *loader_; }

 private:
  void find_start();
  void read_data(const std::filesystem::path& token_cache);
  void configure();
  void check_differences() const;

  TrainingRequest request_;
  ThreadPool& pool_;
  OnStatus on_status_;
  RunDirectory run_;
  std::optional<std::filesystem::path> checkpoint_;
  TrainerState saved_, state_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<TokenFile> tokens_;
  std::optional<DataLoader> loader_;
  std::unique_ptr<Model> model_;
};

}  // namespace smallmind
