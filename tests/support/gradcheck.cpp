// The gradient check; see gradcheck.h.
#include "tests/support/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "kernels/dispatch.h"

namespace smallmind::test {
namespace {

std::vector<float> random_dout(Index size) {
  const RandomStream random(99, 0, 7);
  std::vector<float> dout(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < dout.size(); ++i) dout[i] = random.normal(i);
  return dout;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return most;
}

double relative_error(const std::vector<float>& got, const std::vector<double>& expected) {
  double error = got.size() == expected.size() ? 0.0 : 1e30;
  for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    const double difference = std::abs(static_cast<double>(got[i]) - expected[i]);
    error = std::max(error, std::isfinite(difference) ? difference : 1e30);
  }
  return error / std::max(largest(expected), 1e-30);
}

// d sum(dout * reference) / d variable by central differences, one element at a time.
std::vector<double> numeric_gradient(const OpCase& c, std::vector<Matrix> inputs, std::vector<Matrix> params,
                                     bool of_input, std::size_t which, const std::vector<float>& dout) {
  Matrix& variable = of_input ? inputs[which] : params[which];
  const auto objective = [&] {
    const Matrix out = c.reference(inputs, params);
    double sum = 0;
    for (std::size_t i = 0; i < out.values.size(); ++i) sum += static_cast<double>(dout[i]) * out.values[i];
    return sum;
  };
  std::vector<double> gradient(variable.values.size());
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    constexpr double kStep = 1e-5;
    const double x = variable.values[i];
    variable.values[i] = x + kStep;
    const double above = objective();
    variable.values[i] = x - kStep;
    gradient[i] = (above - objective()) / (2 * kStep);
    variable.values[i] = x;
  }
  return gradient;
}

}  // namespace

Matrix zeros(Index rows, Index cols) {
  return {rows, cols, std::vector<double>(static_cast<std::size_t>(rows * cols))};
}

Matrix random_matrix(Index rows, Index cols, std::uint64_t seed, double scale) {
  Matrix m = zeros(rows, cols);
  const RandomStream random(seed, 0, 3);
  for (std::size_t i = 0; i < m.values.size(); ++i)
    m.values[i] = static_cast<double>(static_cast<float>(static_cast<double>(random.normal(i)) * scale));
  return m;
}

std::vector<std::vector<float>> run_recorded(const OpCase& c, int threads) {
  ThreadPool pool(threads);
  std::vector<std::vector<float>> values, gradients;
  std::vector<Param> params;
  for (const Matrix& m : c.params) {
    values.emplace_back(m.values.begin(), m.values.end());
    gradients.emplace_back(m.values.size(), 0.0f);
    params.push_back({.name = "w",
                      .rows = m.rows,
                      .cols = m.cols,
                      .data = values.back().data(),
                      .grad = gradients.back().data()});
  }
  std::vector<std::vector<float>> results;
  const auto run = [&](Exec& ex) {
    ex.set_random(5, 3);
    const Step step(ex);
    std::vector<Tensor> inputs;
    for (const Matrix& m : c.inputs) {
      inputs.push_back(ex.make(m.rows, m.cols));
      if (!ex.measuring()) std::copy(m.values.begin(), m.values.end(), inputs.back().data);
    }
    const Tensor out = c.build(ex, inputs, params);
    const std::vector<float> dout = random_dout(out.size());
    ex.backward(out, dout.data());
    if (ex.measuring()) return;
    results.emplace_back(out.data, out.data + out.size());
    for (const Tensor& input : inputs) {
      const Tensor gradient = ex.incoming(input);
      results.emplace_back(gradient.data, gradient.data + gradient.size());
    }
    results.insert(results.end(), gradients.begin(), gradients.end());
  };
  Exec dry = Exec::measuring(pool, kernels(), true);
  run(dry);
  Exec ex(pool, kernels(), true, dry.memory());
  run(ex);
  return results;
}

GradCheckResult check_gradients(const OpCase& c, const GradCheckOptions& options) {
  std::vector<std::vector<float>> got = run_recorded(c, options.threads);
  const Matrix expected = c.reference(c.inputs, c.params);
  GradCheckResult result{relative_error(got[0], expected.values), {}};
  const std::vector<float> dout = random_dout(expected.rows * expected.cols);
  for (std::size_t g = 0; g < c.inputs.size() + c.params.size(); ++g) {
    std::vector<float>& gradient = got[1 + g];
    if (static_cast<int>(g) == options.sabotage)
      for (float& value : gradient) value *= 1.01f;
    const bool of_input = g < c.inputs.size();
    const std::size_t which = of_input ? g : g - c.inputs.size();
    result.gradient_errors.push_back(
        relative_error(gradient, numeric_gradient(c, c.inputs, c.params, of_input, which, dout)));
  }
  return result;
}

}  // namespace smallmind::test
