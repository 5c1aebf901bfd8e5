// The training loop: steps, evaluation, checkpoints, and what to do when something goes wrong.
//
// A checkpoint is written every save_every steps, at the end, and when training is asked to stop; each but
// the last kind is evaluated first, and the one with the lowest validation loss is `best`. A loss or gradient
// that is not finite is never applied: the step is skipped, and after most_bad_steps of them in a row the run
// goes back to its last checkpoint with half the learning rate, three times at most; then it ends with Error
// (diverged). A checkpoint that cannot be written is a warning while training goes on, and an error at the
// end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/thread_pool.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include "train/checkpoint.h"
#include "train/data_loader.h"
#include "train/evaluate.h"
#include "train/memory_plan.h"
#include "train/run_directory.h"
#include "train/settings.h"
#include "train/train_log.h"
#include "train/training_request.h"

namespace smallmind {

struct TrainProgress {
  std::int64_t step, steps;  // done, and wanted
  double loss, lr, gradient_norm;
  std::optional<double> val_loss;  // the last one
  double tokens_per_second;        // of the last steps, without evaluation and saving
  double flops_per_second;
  double seconds_left;
};

struct TrainEvents {
  std::function<void(const TrainProgress&)> on_step;
  std::function<void(const TrainProgress&)> on_evaluation;
  std::function<void(const Model&, std::int64_t step)> on_sample;
  std::function<bool()> stop;  // asked between steps and between batches of an evaluation
};

struct TrainResult {
  std::int64_t steps = 0;
  double train_loss = 0;  // of the last step
  std::optional<double>
      val_loss;  // of the last weights; absent if training was stopped before it could be measured
  double tokens_per_second = 0;  // of the steps alone
  double flops_per_token = 0;    // forward and backward, as the ops count them
  std::int64_t peak_bytes = 0;   // the process's largest resident memory
  bool stopped = false;          // before the last step
};

class Trainer {
 public:
  // Everything given must outlive the trainer. Measures the memory needed, refuses what does not fit, and
  // takes it. The model must have memory for values and gradients, and initial weights.
  Trainer(Model& model, const Tokenizer& tokenizer, const DataLoader& loader, ThreadPool& pool,
          RunDirectory& run, const TrainerState& start, const TrainRhythm& rhythm, TrainEvents events);

  // Goes on from a checkpoint of this run: weights, moments and counters.
  void resume(const std::filesystem::path& checkpoint);

  // Trains up to settings.steps. Throws Error (diverged), or (bad_input) when the last checkpoint cannot be
  // written.
  TrainResult run();

  const MemoryPlan& memory() const noexcept { return plan_; }

 private:
  void one_step();
  void bad_step();
  void evaluate();
  bool save(bool last);
  bool stopping() const { return events_.stop && events_.stop(); }
  TrainProgress progress() const;

  Model& model_;
  const Tokenizer& tokenizer_;
  const DataLoader& loader_;
  RunDirectory& run_;
  TrainerState state_;
  TrainRhythm rhythm_;
  TrainEvents events_;
  PassNeeds training_needs_, evaluation_needs_;
  MemoryPlan plan_;
  TrainingStep step_;
  Evaluator evaluator_;
  std::unique_ptr<TrainLog> log_;
  StepOutcome last_;
  double last_rate_ = 0;
  std::int64_t bad_in_a_row_ = 0;
  std::int64_t evaluated_step_ = -1, saved_step_ = -1;
  double step_seconds_ = 0, recent_seconds_ = 0;  // all steps of this process; a moving average of one
  std::int64_t steps_timed_ = 0;
};

}  // namespace smallmind
