// Statistics of repeated measurements: robust centres and spreads, intervals without assumptions about the
// distribution, and the tests that tell a change from noise.
//
// Times on a shared machine have a sharp lower end and a long upper tail, hence medians and deviations from
// them. All functions take the samples in any order.
#pragma once

#include <vector>

namespace smallmind {

// Median; 0 for no samples.
double median(std::vector<double> samples);

// Median of the absolute deviations from the median (MAD). 1.4826 times it estimates the standard deviation
// of a normal distribution.
double median_deviation(const std::vector<double>& samples);
inline constexpr double kDeviationToSigma = 1.4826;

struct Interval {
  double low = 0, high = 0;
};

// A confidence interval of the median from order statistics (Conover 1999, 3.2): exact for every continuous
// distribution. Of fewer than 6 samples none at 95 % exists: their least and greatest are returned.
Interval median_interval(std::vector<double> samples, double confidence = 0.95);

// The median whose samples carry weights: half of the weight lies on either side of it.
double weighted_median(std::vector<double> samples, std::vector<double> weights);

// P(|T| >= |t|) for Student's distribution with so many degrees of freedom (> 0).
double student_t_two_sided(double t, double degrees);

// Holm's step-down correction (1979): adjusted p-values in the order of the input, each the smallest level at
// which its hypothesis is rejected while the chance of any false rejection stays below that level.
std::vector<double> holm(const std::vector<double>& p_values);

struct Line {
  double intercept = 0, slope = 0;
  double residual = 0;  // root mean square of the relative residuals
};

// The line through (x, y), y > 0, with the least sum of squared relative residuals: times that differ by
// orders of magnitude count alike. At least two different x.
Line fit_line(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace smallmind
