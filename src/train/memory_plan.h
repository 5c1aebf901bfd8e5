// The bytes that a training run needs, known before its first step; one that does not fit is refused with a
// table rather than killed later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/model.h"
#include "train/step.h"

namespace smallmind {

struct MemoryPlan {
  struct Row {
    const char* what;
    std::int64_t bytes;
  };
  std::vector<Row> rows;

  std::int64_t total() const noexcept;
  std::string text() const;  // one line per row, and the total
  // Throws Error (bad_input) with the table if the total is above the limit; absent: no limit is known.
  void check(std::optional<std::int64_t> limit) const;
};

// What the weights alone need, known from the shape: to be checked before their memory is taken.
MemoryPlan plan_weights(const ModelConfig& config);

MemoryPlan plan_memory(const Model& model, const PassNeeds& training, const PassNeeds& evaluation);

}  // namespace smallmind
