// Forward, backward, norm, update; see step.h.
#include "train/step.h"

#include <cmath>

#include "base/zone.h"
#include "kernels/dispatch.h"

namespace smallmind {

PassNeeds measure_pass(const Model& model, ThreadPool& pool, std::int64_t batch, bool recording) {
  Exec exec = Exec::measuring(pool, kernels(), recording);
  const std::vector<std::int32_t> zeros(static_cast<std::size_t>(batch * model.config().context), 0);
  std::vector<Segment> segments;
  const Step step(exec);
  const Loss loss =
      model.loss(exec, model.forward(exec, training_batch(zeros, batch, segments), nullptr), zeros);
  const float one = 1.0f;
  if (recording) exec.backward(loss.output(), &one);
  return {exec.memory(), exec.cost()};
}

bool StepOutcome::finite() const noexcept {
  return std::isfinite(loss) && std::isfinite(gradient_norm);
}

TrainingStep::TrainingStep(Model& model, const TrainSettings& settings, ThreadPool& pool,
                           const PassNeeds& needs)
    : model_(&model),
      settings_(&settings),
      pool_(&pool),
      optimizer_(model, settings.optimizer),
      exec_(pool, kernels(), true, needs.memory),
      inputs_(static_cast<std::size_t>(settings.batch * model.config().context)),
      targets_(inputs_.size()) {
  segments_.reserve(static_cast<std::size_t>(settings.batch));
}

std::int64_t TrainingStep::tokens_per_step() const noexcept {
  return static_cast<std::int64_t>(inputs_.size()) * settings_->accumulate;
}

double TrainingStep::pass(std::span<const std::int32_t> inputs, std::span<const std::int32_t> targets,
                          float weight) {
  const auto batch = static_cast<std::int64_t>(inputs.size()) / model_->config().context;
  const Step step(exec_);
  exec_.set_phase(Phase::forward);
  const Tensor hidden = model_->forward(exec_, training_batch(inputs, batch, segments_), nullptr);
  const Loss loss = model_->loss(exec_, hidden, targets);
  exec_.backward(loss.output(), &weight);
  return static_cast<double>(loss.value());
}

StepOutcome TrainingStep::gradients(const DataLoader& loader, std::int64_t step) {
  optimizer_.zero_gradients(*pool_);
  const std::int64_t count = settings_->accumulate;
  double loss = 0;
  for (std::int64_t micro = 0; micro < count; ++micro) {
    {
      const Zone zone("load_batch", {.phase = Phase::data});
      loader.training_batch(settings_->seed, step, micro, inputs_, targets_);
    }
    // Each micro-batch has its own dropout masks.
    exec_.set_random(settings_->seed, static_cast<std::uint64_t>(step * count + micro));
    loss += pass(inputs_, targets_, 1.0f / static_cast<float>(count));
  }
  norm_ = optimizer_.gradient_norm(*pool_, kernels());
  return {loss / static_cast<double>(count), norm_};
}

StepOutcome TrainingStep::gradients(std::span<const std::int32_t> inputs,
                                    std::span<const std::int32_t> targets) {
  optimizer_.zero_gradients(*pool_);
  const double loss = pass(inputs, targets, 1.0f);
  norm_ = optimizer_.gradient_norm(*pool_, kernels());
  return {loss, norm_};
}

void TrainingStep::update(double learning_rate) {
  optimizer_.update(*pool_, kernels(), static_cast<float>(learning_rate), norm_);
}

}  // namespace smallmind
