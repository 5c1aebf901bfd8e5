// Penalties on tokens that have occurred: repetition (CTRL, arXiv:1909.05858), presence and frequency
// (OpenAI's definition).
#include "base/error.h"
#include "infer/samplers/candidates.h"

namespace smallmind {
namespace {

// Calls f(candidate, occurrences) for each candidate that occurs in `tokens`, and leaves `counts` zero.
template <typename F>
void for_each_occurring(std::span<const std::int32_t> tokens, std::span<std::int32_t> counts,
                        Candidates& candidates, F&& f) {
  const auto count_of = [&](std::int32_t token) -> std::int32_t& {
    return counts[static_cast<std::size_t>(token)];
  };
  for (const std::int32_t token : tokens) {
    SM_CHECK(token >= 0 && static_cast<std::size_t>(token) < counts.size(),
             "[sampler] a token below {} expected, {} found", counts.size(), token);
    ++count_of(token);
  }
  for (Candidate& candidate : candidates.items) {
    if (count_of(candidate.token) > 0) f(candidate, count_of(candidate.token));
  }
  for (const std::int32_t token : tokens) count_of(token) = 0;
}

}  // namespace

void apply_repetition_penalty(std::span<const std::int32_t> tokens, float penalty,
                              std::span<std::int32_t> counts, Candidates& candidates) {
  for_each_occurring(tokens, counts, candidates, [&](Candidate& candidate, std::int32_t) {
    candidate.logit = candidate.logit > 0 ? candidate.logit / penalty : candidate.logit * penalty;
  });
}

void apply_count_penalties(std::span<const std::int32_t> output, float presence, float frequency,
                           std::span<std::int32_t> counts, Candidates& candidates) {
  for_each_occurring(output, counts, candidates, [&](Candidate& candidate, std::int32_t count) {
    candidate.logit -= presence + frequency * static_cast<float>(count);
  });
}

}  // namespace smallmind
