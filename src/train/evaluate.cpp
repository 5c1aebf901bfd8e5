// A plain loop over the validation windows; see evaluate.h.
#include "train/evaluate.h"

#include "base/zone.h"
#include "kernels/dispatch.h"

namespace smallmind {

Evaluator::Evaluator(const Model& model, ThreadPool& pool, std::int64_t batch, const PassNeeds& needs)
    : model_(&model),
      batch_(batch),
      exec_(pool, kernels(), false, needs.memory),
      inputs_(static_cast<std::size_t>(batch * model.config().context)),
      targets_(inputs_.size()) {}

std::optional<double> Evaluator::loss(const DataLoader& loader, const std::function<bool()>& stop) {
  const Zone zone("evaluate");
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t first = 0; first < loader.validation_windows(); first += batch_) {
    if (stop && stop()) return std::nullopt;
    const std::int64_t targets = loader.validation_batch(first, inputs_, targets_);
    const Step step(exec_);
    exec_.set_phase(Phase::forward);
    const Tensor hidden = model_->forward(exec_, training_batch(inputs_, batch_, segments_), nullptr);
    sum += static_cast<double>(model_->loss(exec_, hidden, targets_).value()) * static_cast<double>(targets);
    count += targets;
  }
  return sum / static_cast<double>(count);
}

}  // namespace smallmind
