// Statistics against published values.
#include "profiler/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace smallmind {
namespace {

TEST(Statistics, MedianOfOddEvenAndNoSamples) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median_deviation({1, 1, 2, 2, 4, 6, 9}), 1);
}

TEST(Statistics, WeightedMedianFollowsTheWeight) {
  EXPECT_EQ(weighted_median({1, 2, 3}, {1, 1, 1}), 2);
  EXPECT_EQ(weighted_median({1, 2, 3}, {1, 1, 9}), 3);
}

// Tables of the distribution: the two-sided 5 % points.
TEST(Statistics, StudentsDistribution) {
  EXPECT_NEAR(student_t_two_sided(12.7062, 1), 0.05, 1e-6);
  EXPECT_NEAR(student_t_two_sided(2.7764, 4), 0.05, 1e-5);
  EXPECT_NEAR(student_t_two_sided(-2.2281, 10), 0.05, 1e-5);
  EXPECT_NEAR(student_t_two_sided(1.95996, 1e7), 0.05, 1e-5);
  EXPECT_EQ(student_t_two_sided(0, 5), 1);
  EXPECT_LT(student_t_two_sided(50, 10), 1e-12);
}

// n = 10: the second and the ninth cover the median with 97.9 %, the third and the eighth with 89.1 %.
TEST(Statistics, IntervalOfTheMedian) {
  const Interval ten = median_interval({10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  EXPECT_EQ(ten.low, 2);
  EXPECT_EQ(ten.high, 9);
  const Interval wide = median_interval({1, 2, 3});
  EXPECT_EQ(wide.low, 1);
  EXPECT_EQ(wide.high, 3);
}

TEST(Statistics, IntervalCoversTheMedianAsOftenAsItSays) {
  std::mt19937 random(1);
  std::exponential_distribution<double> draw(1.0);
  int covered = 0;
  constexpr int kTrials = 2000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> samples(15);
    for (double& sample : samples) sample = draw(random);
    const Interval interval = median_interval(samples);
    covered += interval.low <= std::log(2.0) && std::log(2.0) <= interval.high ? 1 : 0;
  }
  EXPECT_GT(covered, kTrials * 0.95);
  EXPECT_LT(covered, kTrials * 0.985);  // 96.5 % in theory
}

TEST(Statistics, HolmsCorrection) {
  const std::vector<double> adjusted = holm({0.01, 0.04, 0.03});
  EXPECT_DOUBLE_EQ(adjusted[0], 0.03);
  EXPECT_DOUBLE_EQ(adjusted[2], 0.06);
  EXPECT_DOUBLE_EQ(adjusted[1], 0.06);
}

TEST(Statistics, LineThroughPointsOfDifferentSize) {
  const Line exact = fit_line({1, 10, 1000}, {5, 23, 2003});
  EXPECT_NEAR(exact.intercept, 3, 1e-9);
  EXPECT_NEAR(exact.slope, 2, 1e-9);
  EXPECT_NEAR(exact.residual, 0, 1e-9);
}

}  // namespace
}  // namespace smallmind
