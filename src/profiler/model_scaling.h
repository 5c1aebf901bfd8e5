// Two models of different size side by side: how time, memory and efficiency grow with the parameters.
//
// For a quantity y and P parameters the exponent is log(y2 / y1) / log(P2 / P1). The expected exponent is
// that of the least possible time (declared FLOPs and bytes against the roofs measured beside each model): a
// decode that reads every weight once grows like P while both models fit into the same cache, and faster
// where the larger one does not. Where the exponent stays below the expected one, the larger model uses the
// machine better.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/model.h"
#include "profiler/model_bench.h"

namespace smallmind {

struct MeasuredModel {
  std::string name;
  double parameters = 0;
  std::vector<BenchResult> results;
  double weight_bytes = 0, cache_bytes_per_token = 0, training_bytes = 0;
};

// Runs the reference benchmark of the model, without full recompute. It needs gradients for the training
// figures.
MeasuredModel measure_model(const std::string& name, Model& model, int threads,
                            const ModelBenchOptions& options);

struct ScalingRow {
  std::string quantity;  // "tg50 / tg100: ms per token, 2 threads"
  double first = 0, second = 0;
  double exponent = 0;
  std::optional<double> expected;
  double roof_first = 0, roof_second = 0;  // shares of the roofline; 0 for memory
};

// Rows for what both models have: tests of one kind and thread count, then memory. Error{usage} for models of
// one size.
std::vector<ScalingRow> compare_models(const MeasuredModel& first, const MeasuredModel& second);

std::string model_scaling_text(const MeasuredModel& first, const MeasuredModel& second);
std::string model_scaling_json(const MeasuredModel& first, const MeasuredModel& second);

}  // namespace smallmind
