// Whole training steps as parts of workloads.
#include "profiler/workloads/workloads.h"
#include "train/step.h"

namespace smallmind {

void training_part(WorkloadRun& run, const char* name, Model& model, Index batch) {
  if (run.stopped()) return;
  TrainSettings settings;
  settings.batch = batch;
  const PassNeeds needs = measure_pass(model, run.pool(), batch, true);
  TrainingStep step(model, settings, run.pool(), needs);
  const Index count = batch * model.config().context;
  const auto tokens = random_tokens(count + 1, model.config().vocab, run.options().seed);
  const auto inputs = std::span(tokens).first(static_cast<std::size_t>(count));
  const auto targets = std::span(tokens).subspan(1);
  PartSpec spec{.name = name, .unit = "tokens/s", .amount = static_cast<double>(count), .item = "step"};
  spec.pass = [&](int) {
    const Zone zone("step");
    step.gradients(inputs, targets);
    step.update(1e-4);
  };
  run.part(spec);
}

}  // namespace smallmind
