// Every op of the list against its double-precision reference, values and gradients, with negative controls.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/op_cases.h"

namespace smallmind::test {
namespace {

constexpr double kValueTolerance = 5e-6;     // f32 sums of some 70 terms against double
constexpr double kGradientTolerance = 1e-4;  // of the largest element

TEST(GradientTest, EveryOpHasACase) {
  std::set<Op> covered;
  for (const OpCase& c : op_cases()) covered.insert(c.op);
  for (std::size_t op = 0; op < kOpCount; ++op)
    EXPECT_TRUE(covered.contains(static_cast<Op>(op))) << kOpNames[op];
}

TEST(GradientTest, ValuesAndGradientsMatchTheReference) {
  for (const OpCase& c : op_cases()) {
    const GradCheckResult result = check_gradients(c);
    EXPECT_LT(result.value_error, kValueTolerance) << c.name;
    for (std::size_t g = 0; g < result.gradient_errors.size(); ++g)
      EXPECT_LT(result.gradient_errors[g], kGradientTolerance) << c.name << ", gradient " << g;
  }
}

TEST(GradientTest, AGradientThatIsOnePercentOffFails) {
  for (const OpCase& c : op_cases()) {
    const int gradients = static_cast<int>(c.inputs.size() + c.params.size());
    for (int g = 0; g < gradients; ++g) {
      const GradCheckResult result = check_gradients(c, {.threads = 1, .sabotage = g});
      EXPECT_GT(result.gradient_errors[static_cast<std::size_t>(g)], kGradientTolerance)
          << c.name << ", gradient " << g;
    }
  }
}

TEST(GradientTest, BitsDoNotDependOnTheNumberOfThreads) {
  for (const OpCase& c : op_cases()) {
    const auto one = run_recorded(c, 1);
    for (const int threads : {2, 3})
      EXPECT_EQ(one, run_recorded(c, threads)) << c.name << ", " << threads << " threads";
  }
}

// Large enough that sums over rows are made in chunks and rows are cut into several grains.
TEST(GradientTest, LargeReductionsDoNotDependOnTheNumberOfThreads) {
  const OpCase c{
      Op::layer_norm,
      "large",
      {random_matrix(301, 97, 1)},
      {random_matrix(1, 97, 2), random_matrix(1, 97, 3), random_matrix(130, 97, 4), random_matrix(1, 130, 5)},
      [](Exec& ex, const std::vector<Tensor>& x, const std::vector<Param>& p) {
        return gelu(ex, linear(ex, layer_norm(ex, x[0], p[0], p[1], 1e-5f), p[2], p[3]), GeluForm::tanh);
      },
      nullptr};
  const auto one = run_recorded(c, 1);
  for (const int threads : {2, 3, 5}) EXPECT_EQ(one, run_recorded(c, threads)) << threads << " threads";
}

}  // namespace
}  // namespace smallmind::test
