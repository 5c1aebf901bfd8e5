// The tokens that may still be chosen, and the steps of sampling: one function, one file each.
//
// Each step narrows the set or changes the logits. Sets are deterministic: ties rank by token id.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace smallmind {

struct Candidate {
  float logit;
  float weight;  // exp(logit - largest), after compute_weights
  std::int32_t token;
};

// More probable first; equal logits by token id.
inline bool ranks_before(const Candidate& a, const Candidate& b) noexcept {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

struct Candidates {
  std::vector<Candidate> items;  // capacity V
  double total = 0;              // sum of weights, after compute_weights
};

// Throws Error{bad_input} on NaN or +inf; leaves -inf out; throws if nothing is left.
void collect_candidates(std::span<const float> logits, Candidates& candidates);

// `counts` (V, zero) is scratch and zero again afterwards.
void apply_repetition_penalty(std::span<const std::int32_t> tokens, float penalty,
                              std::span<std::int32_t> counts, Candidates& candidates);
void apply_count_penalties(std::span<const std::int32_t> output, float presence, float frequency,
                           std::span<std::int32_t> counts, Candidates& candidates);

void keep_top_k(int k, Candidates& candidates);

// Weights relative to the most probable candidate at temperature 1 / inverse_temperature, and their sum.
void compute_weights(float temperature, Candidates& candidates);

// Both need compute_weights and keep its invariants.
void keep_top_p(float p, Candidates& candidates);
void keep_min_p(float p, Candidates& candidates);

// The candidate at which the running sum of weights, in the present order, passes u * total; u in [0, 1).
std::int32_t draw(double u, const Candidates& candidates);

}  // namespace smallmind
