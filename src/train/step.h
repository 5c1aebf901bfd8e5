// One training step: gradients of all micro-batches, their norm, and the update. Everything is allocated in
// the constructor; a step touches no heap.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "model/model.h"
#include "nn/exec.h"
#include "train/data_loader.h"
#include "train/settings.h"

namespace smallmind {

// What a forward pass of (batch, context) needs, with its backward if it records; nothing is computed. The
// model must have its memory (untouched memory costs nothing).
struct PassNeeds {
  ExecMemory memory;
  OpCost cost;
};
PassNeeds measure_pass(const Model& model, ThreadPool& pool, std::int64_t batch, bool recording);

struct StepOutcome {
  double loss = 0;           // mean over the step's tokens, before the update
  double gradient_norm = 0;  // before clipping
  bool finite() const noexcept;
};

class TrainingStep {
 public:
  // The model must have gradients. Everything given must outlive the object.
  TrainingStep(Model& model, const TrainSettings& settings, ThreadPool& pool, const PassNeeds& needs);

  // Gradients of step number `step`: the mean over its micro-batches.
  StepOutcome gradients(const DataLoader& loader, std::int64_t step);
  // The same for one given batch, (B, T) each.
  StepOutcome gradients(std::span<const std::int32_t> inputs, std::span<const std::int32_t> targets);

  // Applies the gradients of the last call.
  void update(double learning_rate);

  AdamW& optimizer() noexcept { return optimizer_; }
  std::int64_t tokens_per_step() const noexcept;

 private:
  double pass(std::span<const std::int32_t> inputs, std::span<const std::int32_t> targets, float weight);

  Model* model_;
  const TrainSettings* settings_;
  ThreadPool* pool_;
  AdamW optimizer_;
  Exec exec_;
  std::vector<std::int32_t> inputs_, targets_;
  std::vector<Segment> segments_;
  double norm_ = 0;
};

}  // namespace smallmind
