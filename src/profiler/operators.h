// Single operators with arrays of their own, called as the ops of nn/ call their kernels: cut into ranges
// over a pool, out of place, with ordinary stores.
#pragma once

#include <functional>
#include <memory>

#include "nn/exec.h"
#include "nn/op.h"
#include "profiler/arrays.h"

namespace smallmind {

// What AdamW is benchmarked with: its time does not depend on the numbers, as long as nothing becomes
// denormal.
inline constexpr AdamWArgs kBenchAdamW{.learning_rate = 1e-4f,
                                       .beta1 = 0.9f,
                                       .beta2 = 0.99f,
                                       .epsilon = 1e-8f,
                                       .weight_decay = 0.1f,
                                       .gradient_scale = 1.0f,
                                       .bias_correction1 = 0.1f,
                                       .bias_correction2 = 0.01f};

// A kernel over the range [begin, end) of rows or elements, as Exec::parallel cuts it.
using RangeKernel = std::function<void(const KernelTable&, Index begin, Index end)>;

// A row or elementwise operator. arrays: [0] is read, the last one written.
struct RowOperator {
  const char* name;  // a literal: it names zones
  OpCost cost;       // of one call
  std::shared_ptr<Arrays> arrays;
  Index count, grain;  // of rows or elements
  RangeKernel kernel;

  void call(Exec& ex) const {
    ex.parallel(count, grain, [&](Index begin, Index end) { kernel(ex.kernels(), begin, end); });
  }
};

RowOperator gelu_tanh_operator(Index elements);
RowOperator gelu_erf_operator(Index elements);
RowOperator relu_operator(Index elements);
RowOperator add_operator(Index elements);
RowOperator mul_operator(Index elements);
RowOperator dot_operator(Index elements);
RowOperator broadcast_operator(Index rows, Index cols);  // (rows, cols) + (cols): one row added to each
RowOperator softmax_operator(Index rows, Index cols);
RowOperator layer_norm_operator(Index rows, Index cols);
RowOperator adamw_operator(Index parameters);

}  // namespace smallmind
