// Chooses the next token from a row of logits.
//
// Order, that of Hugging Face transformers: repetition, presence and frequency penalties; temperature; top-k;
// top-p; min-p; one draw. The draw is a pure function of (seed, position), so a text repeats with any number
// of threads, and a sequence does not depend on its neighbours in a batch. Equal logits rank by token id.
// Nothing is allocated after construction. What it does not do: logit bias, grammars, beam search.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "infer/samplers/candidates.h"

namespace smallmind {

struct SamplingOptions {
  float temperature = 1.0f;  // 0: the most probable token, always
  int top_k = 0;             // keep the k most probable tokens; 0: all
  float top_p = 1.0f;        // keep the fewest tokens whose probabilities sum to at least p; 1: all
  float min_p = 0.0f;        // keep tokens of at least p times the largest probability; 0: all
  float repetition_penalty =
      1.0f;  // logits of tokens in prompt or output: x > 0 ? x / r : x * r (arXiv:1909.05858)
  float presence_penalty = 0.0f;   // subtracted once if the token is in the output
  float frequency_penalty = 0.0f;  // subtracted for each time that it is in the output
  std::uint64_t seed = 0;
};

// Throws Error{usage} naming the first option that is out of range.
void check_sampling_options(const SamplingOptions& options);

// Not thread-safe: one Sampler per sequence that is sampled at a time; it keeps no state between tokens.
class Sampler {
 public:
  // Takes all the memory that rows of `vocab` logits need. Throws Error{usage} on options out of range.
  Sampler(const SamplingOptions& options, std::int64_t vocab);

  const SamplingOptions& options() const noexcept { return options_; }

  // The token at position tokens.size(), from the logits (V) there. `tokens` is what stands before it, the
  // first prompt_tokens of which are the prompt. -inf excludes a token. Throws Error{bad_input} where a logit
  // is NaN or +inf, or all are -inf.
  std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> tokens,
                      std::size_t prompt_tokens);

 private:
  SamplingOptions options_;
  Candidates candidates_;
  std::vector<std::int32_t> counts_;  // (V) zero between calls
};

}  // namespace smallmind
