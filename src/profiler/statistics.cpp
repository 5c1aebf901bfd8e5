// Medians, intervals, tests and fits; see statistics.h.
//
// The tail of Student's distribution comes from the incomplete beta function (Abramowitz and Stegun 26.7.1),
// good to 1e-12 here; nothing in the program needs more of statistics than these few functions.
#include "profiler/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "base/error.h"

namespace smallmind {
namespace {

// Continued fraction of the incomplete beta function, by Lentz's method: Abramowitz and Stegun 26.5.8.
double beta_fraction(double a, double b, double x) {
  constexpr int kMostTerms = 300;
  constexpr double kTiny = 1e-300, kEnough = 1e-14;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), result = d;
  for (int m = 1; m <= kMostTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1) < kEnough) break;
  }
  return result;
}

// I_x(a, b), 0 <= x <= 1.
double regularised_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double log_front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  // The fraction converges fast below the mean of the distribution; above it, by symmetry.
  if (x < (a + 1) / (a + b + 2)) return std::exp(log_front) * beta_fraction(a, b, x) / a;
  return 1 - std::exp(log_front) * beta_fraction(b, a, 1 - x) / b;
}

}  // namespace

double median(std::vector<double> samples) {
  if (samples.empty()) return 0;
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  if (samples.size() % 2 != 0) return *middle;
  return (*middle + *std::max_element(samples.begin(), middle)) / 2;
}

double median_deviation(const std::vector<double>& samples) {
  const double centre = median(samples);
  std::vector<double> deviations;
  deviations.reserve(samples.size());
  for (const double sample : samples) deviations.push_back(std::abs(sample - centre));
  return median(std::move(deviations));
}

Interval median_interval(std::vector<double> samples, double confidence) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  // Samples k+1 .. n-k (from 1) miss the median with probability 2 P(Binomial(n, 1/2) <= k): the greatest k
  // that keeps this below 1 - confidence.
  const std::size_t n = samples.size();
  double term = std::exp2(-static_cast<double>(n)), sum = term;
  std::size_t k = 0;
  while (2 * (k + 1) < n) {
    term *= static_cast<double>(n - k) / static_cast<double>(k + 1);
    if (2 * (sum + term) > 1 - confidence) break;
    sum += term;
    ++k;
  }
  return {samples[k], samples[n - 1 - k]};
}

double weighted_median(std::vector<double> samples, std::vector<double> weights) {
  SM_CHECK(samples.size() == weights.size(), "[statistics] one weight per sample expected");
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return samples[a] < samples[b]; });
  const double half = std::accumulate(weights.begin(), weights.end(), 0.0) / 2;
  double below = 0;
  for (const std::size_t i : order) {
    below += weights[i];
    if (below >= half) return samples[i];
  }
  return 0;
}

double student_t_two_sided(double t, double degrees) {
  if (std::isnan(t)) return 1;
  return regularised_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double p = p_values[order[rank]] * static_cast<double>(order.size() - rank);
    largest = std::max(largest, std::min(1.0, p));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

Line fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  SM_CHECK(x.size() == y.size() && x.size() >= 2, "[statistics] two points or more expected, {} given",
           x.size());
  // Weights 1/y^2 turn squared residuals into squared relative ones.
  double weight = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double w = 1 / (y[i] * y[i]);
    weight += w;
    wx += w * x[i];
    wy += w * y[i];
    wxx += w * x[i] * x[i];
    wxy += w * x[i] * y[i];
  }
  const double determinant = weight * wxx - wx * wx;
  SM_CHECK(determinant > 0, "[statistics] different x expected, equal ones given");
  Line line;
  line.slope = (weight * wxy - wx * wy) / determinant;
  line.intercept = (wy - line.slope * wx) / weight;
  double squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double relative = (line.intercept + line.slope * x[i]) / y[i] - 1;
    squares += relative * relative;
  }
  line.residual = std::sqrt(squares / static_cast<double>(x.size()));
  return line;
}

}  // namespace smallmind
