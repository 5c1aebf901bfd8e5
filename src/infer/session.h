// Session: a model at work: its KV cache, the memory of its forward passes, and the logits of the last rows.
//
// One forward takes any mix of sequences, each with any number of new tokens: prompts and single decode steps
// share a pass, and every row gets the bits that it would get alone. All memory is taken at construction,
// measured by a dry run of the largest batch; no call allocates afterwards. What it does not do: sampling
// (sampler.h), text (generate.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/dispatch.h"
#include "model/model.h"

namespace smallmind {

struct SessionOptions {
  Index sequences = 1;     // slots of the KV cache
  Index context = 0;       // positions per sequence; 0: the model's context, which is also the most
  Index batch_rows = 512;  // tokens per forward pass; longer prompts go in pieces
};

// New tokens of one sequence.
struct SessionInput {
  Index sequence;
  std::span<const std::int32_t> tokens;
};

// Not thread-safe: one call at a time, and nothing else on the pool meanwhile.
class Session {
 public:
  // The model and the pool must outlive it. Faster with the model's PackedWeights, which then must outlive it
  // too. Throws Error{usage} on options out of range, Error{bad_input} where the memory is refused.
  Session(const Model& model, ThreadPool& pool, const SessionOptions& options = {},
          const KernelTable& table = kernels());

  // Appends the tokens of each input (at least one, each sequence once) to its sequence; batch_rows() in sum
  // at most. Returns (inputs, V): the logits after the last token of each, valid until the next call. Throws
  // Error{usage} where the batch or a context is exceeded or a token is not the model's; the sequences are
  // then as before.
  std::span<const float> forward(std::span<const SessionInput> inputs);

  // The same for one sequence and any number of tokens that fits: the logits (V) after the last.
  std::span<const float> prefill(std::span<const std::int32_t> tokens, Index sequence = 0);
  std::span<const float> decode(std::int32_t token, Index sequence = 0) {
    return prefill({&token, 1}, sequence);
  }

  // Forgets what stands at and after `length`.
  void truncate(Index length, Index sequence = 0) { cache_.truncate(sequence, length); }
  void reset(Index sequence = 0) { cache_.truncate(sequence, 0); }

  Index length(Index sequence = 0) const { return cache_.length(sequence); }
  Index context() const noexcept { return cache_.capacity(); }
  Index batch_rows() const noexcept { return static_cast<Index>(tokens_.size()); }
  const Model& model() const noexcept { return model_; }
  // Memory of the KV cache and of the forward pass.
  std::size_t bytes() const noexcept { return cache_.bytes() + exec_.memory().total(); }

 private:
  Tensor run(Exec& ex, const TokenBatch& batch);
  ExecMemory measure(ThreadPool& pool, const KernelTable& table);

  const Model& model_;
  KvCache cache_;
  std::vector<std::int32_t> tokens_;  // (batch_rows)
  std::vector<Segment> segments_;     // (sequences)
  Exec exec_;
};

}  // namespace smallmind
