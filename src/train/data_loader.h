// Which tokens each step sees, as a pure function of (seed, step): a resumed run needs no state of the
// loader.
//
// The last 10 % of the tokens are the validation part. A training batch holds windows of `context` tokens
// that begin at places drawn uniformly from the training part, as in nanoGPT; targets are the same windows
// one token further. Validation goes over its whole part once, in windows that follow each other.
#pragma once

#include <cstdint>
#include <span>

#include "train/token_file.h"

namespace smallmind {

class DataLoader {
 public:
  static constexpr std::int32_t kNoTarget = -1;  // does not count in the loss

  // T = context. Throws Error (bad_input) unless the training part has T + 1 tokens and the validation
  // part 2. The file must outlive the loader.
  DataLoader(const TokenFile& tokens, std::int64_t context, double validation_share = 0.1);

  std::int64_t training_tokens() const noexcept { return training_; }
  std::int64_t validation_tokens() const noexcept { return tokens_->size() - training_; }

  // Batch number `micro` of a step: B windows, (B, T) each into inputs and targets. Draws are keyed by (seed,
  // step, micro * B + b). Thread-safe, no allocation.
  void training_batch(std::uint64_t seed, std::int64_t step, std::int64_t micro,
                      std::span<std::int32_t> inputs, std::span<std::int32_t> targets) const;

  // ceil((tokens - 1) / T)
  std::int64_t validation_windows() const noexcept;

  // Windows first, first + 1, ... into (B, T); rows behind the end get token 0 and kNoTarget. Returns the
  // number of targets.
  std::int64_t validation_batch(std::int64_t first, std::span<std::int32_t> inputs,
                                std::span<std::int32_t> targets) const;

 private:
  const TokenFile* tokens_;
  std::int64_t context_;
  std::int64_t training_;
};

}  // namespace smallmind
