// The order of the steps of sampling, and the two ends: logits in, one draw out. See sampler.h.
#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace smallmind {
namespace {

constexpr std::uint32_t kSamplingStream =
    0x53414d50;  // apart from the streams of initialisation, dropout and shuffling

// 53 bits in [0, 1): the 24 of a float would round away the tails of a large vocabulary.
double uniform_at(std::uint64_t seed, std::uint64_t position) {
  const auto words = RandomStream(seed, 0, kSamplingStream).block(position);
  return static_cast<double>((std::uint64_t{words[0]} << 32 | words[1]) >> 11) * 0x1p-53;
}

}  // namespace

void check_sampling_options(const SamplingOptions& o) {
  const auto require = [](bool good, const char* name, const char* expected, double found) {
    if (!good) fail_usage("[sampler] {} {} expected, {} found", name, expected, found);
  };
  require(std::isfinite(o.temperature) && o.temperature >= 0, "temperature", "of at least 0",
          double{o.temperature});
  require(o.top_k >= 0, "top-k", "of at least 0", double(o.top_k));
  require(o.top_p > 0 && o.top_p <= 1, "top-p", "above 0 and up to 1", double{o.top_p});
  require(o.min_p >= 0 && o.min_p <= 1, "min-p", "from 0 to 1", double{o.min_p});
  require(std::isfinite(o.repetition_penalty) && o.repetition_penalty > 0, "repetition penalty", "above 0",
          double{o.repetition_penalty});
  require(std::isfinite(o.presence_penalty), "presence penalty", "finite", double{o.presence_penalty});
  require(std::isfinite(o.frequency_penalty), "frequency penalty", "finite", double{o.frequency_penalty});
}

void collect_candidates(std::span<const float> logits, Candidates& candidates) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  candidates.items.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] < kInfinity)) {
      fail_input("[sampler] finite logits expected, {} found for token {}", logits[i], i);
    }
    if (logits[i] > -kInfinity) candidates.items.push_back({logits[i], 0.0f, static_cast<std::int32_t>(i)});
  }
  if (candidates.items.empty())
    fail_input("[sampler] a possible token expected, all {} logits are -inf", logits.size());
}

void compute_weights(float temperature, Candidates& candidates) {
  float largest = candidates.items.front().logit;
  for (const Candidate& c : candidates.items) largest = std::max(largest, c.logit);
  candidates.total = 0;
  for (Candidate& c : candidates.items) {
    c.weight = std::exp((c.logit - largest) / temperature);
    candidates.total += static_cast<double>(c.weight);
  }
}

std::int32_t draw(double u, const Candidates& candidates) {
  const double target = u * candidates.total;
  double sum = 0;
  for (const Candidate& c : candidates.items) {
    sum += static_cast<double>(c.weight);
    if (sum > target) return c.token;
  }
  return candidates.items.back().token;  // u * total rounded up to the sum itself
}

Sampler::Sampler(const SamplingOptions& options, std::int64_t vocab) : options_(options) {
  check_sampling_options(options);
  if (vocab < 1) fail_usage("[sampler] a vocabulary of at least 1 expected, {} found", vocab);
  candidates_.items.reserve(static_cast<std::size_t>(vocab));
  counts_.resize(static_cast<std::size_t>(vocab));
}

std::int32_t Sampler::sample(std::span<const float> logits, std::span<const std::int32_t> tokens,
                             std::size_t prompt_tokens) {
  SM_CHECK(logits.size() == counts_.size(), "[sampler] {} logits expected, {} found", counts_.size(),
           logits.size());
  SM_CHECK(prompt_tokens <= tokens.size(), "[sampler] a prompt of at most {} tokens expected, {} found",
           tokens.size(), prompt_tokens);
  collect_candidates(logits, candidates_);
  if (options_.repetition_penalty != 1.0f) {
    apply_repetition_penalty(tokens, options_.repetition_penalty, counts_, candidates_);
  }
  if (options_.presence_penalty != 0.0f || options_.frequency_penalty != 0.0f) {
    apply_count_penalties(tokens.subspan(prompt_tokens), options_.presence_penalty,
                          options_.frequency_penalty, counts_, candidates_);
  }
  auto& items = candidates_.items;
  if (options_.temperature == 0.0f || options_.top_k == 1) {
    return std::min_element(items.begin(), items.end(), ranks_before)->token;
  }
  if (options_.top_k > 0) keep_top_k(options_.top_k, candidates_);
  compute_weights(options_.temperature, candidates_);
  if (options_.top_p < 1.0f) keep_top_p(options_.top_p, candidates_);
  if (options_.min_p > 0.0f) keep_min_p(options_.min_p, candidates_);
  return draw(uniform_at(options_.seed, tokens.size()), candidates_);
}

}  // namespace smallmind
