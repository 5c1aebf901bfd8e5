// Quantiles of many durations in little memory: counts in buckets of 1/32 octave, so that a quantile is off
// by at most 1.6 %.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace smallmind {

class DurationHistogram {
 public:
  void add(std::uint64_t ticks) {
    const std::size_t bucket = bucket_of(ticks);
    if (bucket >= counts_.size()) counts_.resize(bucket + 1);
    ++counts_[bucket];
    ++count_;
    least_ = std::min(least_, ticks);
    most_ = std::max(most_, ticks);
  }

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t least() const noexcept { return count_ == 0 ? 0 : least_; }
  std::uint64_t most() const noexcept { return most_; }

  // The duration that a share q of all does not exceed (nearest rank).
  std::uint64_t quantile(double q) const noexcept {
    const auto rank = static_cast<std::uint64_t>(std::llround(q * static_cast<double>(count_)));
    if (rank >= count_) return most_;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= std::max<std::uint64_t>(rank, 1)) return std::clamp(middle_of(i), least(), most_);
    }
    return most_;
  }

 private:
  static constexpr int kBits = 5;
  static constexpr std::uint64_t kParts = std::uint64_t{1} << kBits;

  // Exact below 32, then 32 buckets per octave.
  static std::size_t bucket_of(std::uint64_t ticks) noexcept {
    if (ticks < kParts) return ticks;
    const int octave = static_cast<int>(std::bit_width(ticks)) - 1 - kBits;
    return static_cast<std::size_t>((static_cast<std::uint64_t>(octave) + 1) * kParts +
                                    ((ticks >> octave) - kParts));
  }
  static std::uint64_t middle_of(std::size_t bucket) noexcept {
    if (bucket < kParts) return bucket;
    const auto octave = bucket / kParts - 1;
    const std::uint64_t low = (bucket % kParts + kParts) << octave;
    return low + ((std::uint64_t{1} << octave) >> 1);
  }

  std::vector<std::uint32_t> counts_;
  std::uint64_t count_ = 0, least_ = ~std::uint64_t{0}, most_ = 0;
};

}  // namespace smallmind
