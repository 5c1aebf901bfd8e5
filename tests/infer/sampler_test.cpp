// The sampler: options, penalties by hand, the set that each step keeps, and the distribution of draws.
#include "infer/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "tests/support/alloc_guard.h"

namespace smallmind {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The tokens of `count` draws, one per position.
std::vector<int> draws(const SamplingOptions& options, const std::vector<float>& logits, std::size_t count) {
  Sampler sampler(options, static_cast<std::int64_t>(logits.size()));
  const std::vector<std::int32_t> tokens(count + 1);
  std::vector<int> result;
  for (std::size_t i = 1; i <= count; ++i)
    result.push_back(sampler.sample(logits, std::span(tokens).first(i), i));
  return result;
}

std::set<int> kept(const SamplingOptions& options, const std::vector<float>& logits) {
  const std::vector<int> d = draws(options, logits, 4000);
  return {d.begin(), d.end()};
}

std::vector<float> logs(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// Pearson's statistic of draws against probabilities.
double chi_square(const std::vector<int>& d, const std::vector<double>& probabilities) {
  std::vector<double> counts(probabilities.size());
  for (const int token : d) counts.at(static_cast<std::size_t>(token)) += 1;
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = probabilities[i] * static_cast<double>(d.size());
    if (expected > 0) {
      sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    } else {
      EXPECT_EQ(counts[i], 0);
    }
  }
  return sum;
}

// The 99.99 % quantile of chi-square by Wilson and Hilferty.
double chi_square_limit(double freedom) {
  const double v = 2 / (9 * freedom);
  return freedom * std::pow(1 - v + 3.719 * std::sqrt(v), 3);
}

TEST(Sampler, GreedyTakesTheLargestAndTheFirstOfEquals) {
  const SamplingOptions greedy{.temperature = 0};
  EXPECT_EQ(draws(greedy, {1, 5, 3}, 1)[0], 1);
  EXPECT_EQ(draws(greedy, {1, 5, 5, 5}, 1)[0], 1);
  EXPECT_EQ(draws(greedy, {-kInfinity, -1e30f}, 1)[0], 1);
  EXPECT_EQ(draws({.top_k = 1}, {2, 7, 7}, 3), (std::vector<int>{1, 1, 1}));
}

TEST(Sampler, DrawsFollowTheDistribution) {
  const std::vector<double> p = {0.4, 0.3, 0.15, 0.1, 0.04, 0.01};
  const auto statistic = [&](const SamplingOptions& options, const std::vector<double>& expected) {
    return chi_square(draws(options, logs(p), 200000), expected);
  };
  EXPECT_LE(statistic({.seed = 3}, p), chi_square_limit(5));

  std::vector<double> warm(p.size());  // temperature 2: square roots
  double sum = 0;
  for (const double x : p) sum += std::sqrt(x);
  std::transform(p.begin(), p.end(), warm.begin(), [&](double x) { return std::sqrt(x) / sum; });
  EXPECT_LE(statistic({.temperature = 2, .seed = 4}, warm), chi_square_limit(5));

  EXPECT_LE(statistic({.top_k = 2, .seed = 5}, {0.4 / 0.7, 0.3 / 0.7, 0, 0, 0, 0}), chi_square_limit(1));
  EXPECT_LE(statistic({.top_p = 0.8f, .seed = 6}, {0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0, 0}),
            chi_square_limit(2));
  EXPECT_LE(statistic({.min_p = 0.24f, .seed = 7}, {0.4 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0.1 / 0.95, 0, 0}),
            chi_square_limit(3));
}

TEST(Sampler, LargeVocabulary) {
  std::vector<double> p(2000);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    p[(i * 7919) % p.size()] = 1.0 / static_cast<double>(i + 10);
    sum += 1.0 / static_cast<double>(i + 10);
  }
  for (double& x : p) x /= sum;
  EXPECT_LE(chi_square(draws({.seed = 8}, logs(p), 40000), p), chi_square_limit(1999));
  std::vector<double> ranked = p;
  std::sort(ranked.begin(), ranked.end(), std::greater<>());
  for (const float top_p : {0.01f, 0.3f, 0.7f, 0.95f}) {
    double reached = 0;
    std::size_t count = 0;
    while (reached < static_cast<double>(top_p)) reached += ranked[count++];
    std::vector<double> nucleus(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) nucleus[i] = p[i] >= ranked[count - 1] ? p[i] / reached : 0;
    const double freedom = std::max(1.0, static_cast<double>(count - 1));
    EXPECT_LE(chi_square(draws({.top_p = top_p, .seed = 9}, logs(p), 15000), nucleus),
              chi_square_limit(freedom))
        << top_p;
  }
}

TEST(Sampler, TiesAtTheEdgeGoToTheFirstTokens) {
  EXPECT_EQ(kept({.top_k = 3}, std::vector<float>(50, 1.0f)), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(kept({.top_p = 0.05f}, std::vector<float>(50, 1.0f)),
            (std::set<int>{0, 1, 2}));  // 0.04 is not enough
  EXPECT_EQ(kept({.top_p = 1e-9f}, {1, 2, 2}), (std::set<int>{1}));
  EXPECT_EQ(kept({.min_p = 1.0f}, {1, 2, 2}), (std::set<int>{1, 2}));
  EXPECT_EQ(kept({}, {0, -kInfinity, 0}), (std::set<int>{0, 2}));
}

TEST(Sampler, PenaltiesByHand) {
  // Tokens 0 and 1 stand in the prompt, 1 and 2 (twice) in the output.
  const std::vector<std::int32_t> tokens = {0, 1, 1, 2, 2};
  const auto logits_after = [&](float repetition, float presence, float frequency) {
    Candidates candidates;
    const std::vector<float> logits = {2.0f, -3.0f, 4.0f, 1.0f};
    std::vector<std::int32_t> counts(4);
    collect_candidates(logits, candidates);
    if (repetition != 1) apply_repetition_penalty(tokens, repetition, counts, candidates);
    apply_count_penalties(std::span(tokens).subspan(2), presence, frequency, counts, candidates);
    EXPECT_EQ(counts, std::vector<std::int32_t>(4));
    std::vector<float> result;
    for (const Candidate& c : candidates.items) result.push_back(c.logit);
    return result;
  };
  EXPECT_EQ(logits_after(2, 0, 0), (std::vector<float>{1, -6, 2, 1}));
  EXPECT_EQ(logits_after(1, 0.5f, 0), (std::vector<float>{2, -3.5f, 3.5f, 1}));
  EXPECT_EQ(logits_after(1, 0, 0.5f), (std::vector<float>{2, -3.5f, 3, 1}));
  EXPECT_EQ(logits_after(2, 1, 1), (std::vector<float>{1, -8, -1, 1}));

  Sampler sampler({.temperature = 0, .repetition_penalty = 5}, 4);
  EXPECT_EQ(sampler.sample(std::vector<float>{2.0f, -3.0f, 4.0f, 1.0f}, tokens, 2), 3);
}

TEST(Sampler, DrawsDependOnSeedAndPositionOnly) {
  const std::vector<float> logits(100, 0.0f);
  EXPECT_EQ(draws({.seed = 1}, logits, 50), draws({.seed = 1}, logits, 50));
  EXPECT_NE(draws({.seed = 1}, logits, 50), draws({.seed = 2}, logits, 50));
  Sampler sampler({.seed = 1}, 100);
  const std::vector<std::int32_t> tokens(20);
  const std::int32_t token = sampler.sample(logits, tokens, 20);
  sampler.sample(logits, std::span(tokens).first(3), 1);
  EXPECT_EQ(sampler.sample(logits, tokens, 7), token);
}

int code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return static_cast<int>(e.code());
  }
  return 0;
}

TEST(Sampler, RefusesWhatHasNoMeaning) {
  const auto options = [&](const SamplingOptions& o) { return code_of([&] { Sampler(o, 10); }); };
  const int usage = static_cast<int>(ErrorCode::usage), bad = static_cast<int>(ErrorCode::bad_input);
  EXPECT_EQ(options({}), 0);
  EXPECT_EQ(options({.temperature = -1}), usage);
  EXPECT_EQ(options({.temperature = std::nanf("")}), usage);
  EXPECT_EQ(options({.top_k = -1}), usage);
  EXPECT_EQ(options({.top_p = 0}), usage);
  EXPECT_EQ(options({.top_p = 1.5f}), usage);
  EXPECT_EQ(options({.min_p = -0.1f}), usage);
  EXPECT_EQ(options({.repetition_penalty = 0}), usage);
  EXPECT_EQ(options({.frequency_penalty = kInfinity}), usage);
  for (const float temperature : {0.0f, 1.0f}) {
    const auto logits = [&](const std::vector<float>& x) {
      return code_of([&] { draws({.temperature = temperature}, x, 1); });
    };
    EXPECT_EQ(logits({0, std::nanf(""), 0}), bad);
    EXPECT_EQ(logits({0, kInfinity}), bad);
    EXPECT_EQ(logits({-kInfinity, -kInfinity}), bad);
  }
}

TEST(Sampler, AllocatesNothing) {
  if (!heap_is_counted()) GTEST_SKIP() << "skipped: a sanitizer owns malloc";
  std::vector<float> logits(5000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = RandomStream(1, 0, 0).normal(i);
  std::vector<std::int32_t> tokens(200);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i % 70);
  Sampler sampler({.temperature = 0.8f,
                   .top_k = 1000,
                   .top_p = 0.95f,
                   .min_p = 0.01f,
                   .repetition_penalty = 1.1f,
                   .presence_penalty = 0.1f,
                   .frequency_penalty = 0.1f},
                  5000);
  const AllocGuard guard;
  for (std::size_t i = 100; i < 200; ++i) sampler.sample(logits, std::span(tokens).first(i), 50);
  EXPECT_EQ(guard.count(), 0u);
  EXPECT_GT((tokens.resize(1000), guard.count()), 0u);  // the counter does count
}

}  // namespace
}  // namespace smallmind
