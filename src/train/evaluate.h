// The loss over the whole validation part: mean cross-entropy per token, in windows of the context.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "model/model.h"
#include "nn/exec.h"
#include "train/data_loader.h"
#include "train/step.h"

namespace smallmind {

class Evaluator {
 public:
  // needs: of a pass of `batch` windows that does not record.
  Evaluator(const Model& model, ThreadPool& pool, std::int64_t batch, const PassNeeds& needs);

  // The same bits for any number of threads. Nothing if `stop` said so before the end.
  std::optional<double> loss(const DataLoader& loader, const std::function<bool()>& stop = {});

 private:
  const Model* model_;
  std::int64_t batch_;
  Exec exec_;
  std::vector<std::int32_t> inputs_, targets_;
  std::vector<Segment> segments_;
};

}  // namespace smallmind
