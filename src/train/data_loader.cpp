// Windows of tokens; see data_loader.h.
#include "train/data_loader.h"

#include <algorithm>

#include "base/error.h"
#include "base/random.h"

namespace smallmind {
namespace {

constexpr std::uint32_t kDataStream =
    0x44415441;  // keeps these draws apart from initialisation's and dropout's

// Uniform in 0 .. bound - 1 from 64 random bits; the bias is below bound / 2^64.
std::int64_t below(const RandomStream& random, std::uint64_t element, std::int64_t bound) {
  __extension__ using Wide = unsigned __int128;
  const auto words = random.block(element);
  const std::uint64_t bits = std::uint64_t{words[0]} << 32 | words[1];
  return static_cast<std::int64_t>(Wide{bits} * static_cast<std::uint64_t>(bound) >> 64);
}

}  // namespace

DataLoader::DataLoader(const TokenFile& tokens, std::int64_t context, double validation_share)
    : tokens_(&tokens), context_(context) {
  SM_CHECK(context > 0, "[data] a context of at least 1 expected, {} given", context);
  training_ = static_cast<std::int64_t>(static_cast<double>(tokens.size()) * (1.0 - validation_share));
  if (training_ < context + 1 || validation_tokens() < 2)
    fail_input(
        "[data] at least {} tokens for training (the context and one) and 2 for validation expected, {} and "
        "{} "
        "found; take more text or a shorter context",
        context + 1, training_, validation_tokens());
}

void DataLoader::training_batch(std::uint64_t seed, std::int64_t step, std::int64_t micro,
                                std::span<std::int32_t> inputs, std::span<std::int32_t> targets) const {
  const auto window = static_cast<std::size_t>(context_);
  const auto batch = static_cast<std::int64_t>(inputs.size() / window);
  const RandomStream random(seed, static_cast<std::uint64_t>(step), kDataStream);
  for (std::int64_t b = 0; b < batch; ++b) {
    const auto row = static_cast<std::size_t>(b) * window;
    const std::int64_t begin =
        below(random, static_cast<std::uint64_t>(micro * batch + b), training_ - context_);
    tokens_->read(begin, inputs.subspan(row, window));
    tokens_->read(begin + 1, targets.subspan(row, window));
  }
}

std::int64_t DataLoader::validation_windows() const noexcept {
  return (validation_tokens() - 1 + context_ - 1) / context_;
}

std::int64_t DataLoader::validation_batch(std::int64_t first, std::span<std::int32_t> inputs,
                                          std::span<std::int32_t> targets) const {
  std::fill(inputs.begin(), inputs.end(), 0);
  std::fill(targets.begin(), targets.end(), kNoTarget);
  const std::int64_t from = first * context_;
  const std::int64_t count =
      std::clamp<std::int64_t>(validation_tokens() - 1 - from, 0, static_cast<std::int64_t>(inputs.size()));
  if (count == 0) return 0;
  tokens_->read(training_ + from, inputs.subspan(0, static_cast<std::size_t>(count)));
  tokens_->read(training_ + from + 1, targets.subspan(0, static_cast<std::size_t>(count)));
  return count;
}

}  // namespace smallmind
