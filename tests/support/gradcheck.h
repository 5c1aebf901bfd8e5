// Checks an op against a double-precision reference: its values, and its gradients by central differences of
// the reference.
//
// A case gives inputs, parameters, the op and the same formula in double. The check runs the op while
// recording, with random dout, and compares every element of the output, of each input's gradient and of each
// parameter's gradient. Errors are relative to the largest element of the compared array. `sabotage`
// multiplies one of the gradients by 1.01 before it is compared, to show that the check would notice.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nn/ops.h"

namespace smallmind::test {

struct Matrix {
  Index rows = 0, cols = 0;
  std::vector<double> values;

  double at(Index i, Index j) const { return values[static_cast<std::size_t>(i * cols + j)]; }
  double& at(Index i, Index j) { return values[static_cast<std::size_t>(i * cols + j)]; }
};

Matrix zeros(Index rows, Index cols);
// Standard normal draws, rounded to float so that the op sees the same numbers.
Matrix random_matrix(Index rows, Index cols, std::uint64_t seed, double scale = 1.0);

struct OpCase {
  Op op;
  std::string name;
  std::vector<Matrix> inputs;  // activations
  std::vector<Matrix> params;  // weights
  std::function<Tensor(Exec&, const std::vector<Tensor>&, const std::vector<Param>&)> build;
  std::function<Matrix(const std::vector<Matrix>& inputs, const std::vector<Matrix>& params)> reference;
};

struct GradCheckResult {
  double value_error = 0;
  std::vector<double> gradient_errors;  // of each input, then of each parameter
};

struct GradCheckOptions {
  int threads = 1;
  int sabotage = -1;  // index into gradient_errors, or -1
};

GradCheckResult check_gradients(const OpCase& op_case, const GradCheckOptions& options = {});

// One recorded run, as raw floats: the output, then all gradients in order.
std::vector<std::vector<float>> run_recorded(const OpCase& op_case, int threads);

}  // namespace smallmind::test
