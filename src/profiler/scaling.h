// How a model's speed scales on this machine: with threads, with sequences decoded together, with the context
// that stands in the cache. Each axis is measured and fitted by the model that theory gives it, and the fit
// says where it bends.
//
//   threads  t(n) = serial + parallel / n     Amdahl 1967; bends where half of the time is serial
//   batch    t(B) = fixed + B * per_row       the weights are read once for all B; bends where the rows' own
//   work
//                                             (arithmetic, cache) takes as long as that reading
//   context  t(S) = fixed + S * per_position  bends where attention takes as long as everything else
//
// t is the time of one decoding pass. The points of an axis are measured in turns, round by round, so that a
// drift of the machine meets all of them alike.
#pragma once

#include <string>
#include <vector>

#include "model/model.h"

namespace smallmind {

struct ScalingPoint {
  Index x = 0;                   // threads, sequences or positions
  double seconds = 0;            // median of one pass
  double spread = 0;             // median deviation over the median
  double tokens_per_second = 0;  // of all sequences together
  double fitted = 0;             // seconds that the fit gives
};

struct ScalingCurve {
  std::string axis;     // "threads", "batch", "context"
  std::string formula;  // with the fitted numbers
  std::vector<ScalingPoint> points;
  double constant = 0, variable = 0;  // seconds: the two terms of the formula, the latter per unit
  double residual = 0;                // of the fit: root mean square, relative
  double bend = 0;                    // x where both terms are equal; 0: there is none on this axis
  std::string reading;                // what it means, in words
};

struct ScalingOptions {
  int threads = 1;        // the most
  Index most_batch = 16;  // sequences
  double seconds = 0.3;   // of measuring per point
  int least_repeats = 7;  // passes per point
};

// Measures all three axes. The model has its memory; its weights are packed for the time of the call. An axis
// with a single point (one thread) is left out.
std::vector<ScalingCurve> measure_scaling(Model& model, const ScalingOptions& options);

// Fits `curve.points` by the formula of curve.axis and fills in what follows from it.
void fit_scaling(ScalingCurve& curve);

std::string scaling_text(const std::string& name, const std::vector<ScalingCurve>& curves);
std::string scaling_json(const std::string& name, const std::vector<ScalingCurve>& curves);

}  // namespace smallmind
