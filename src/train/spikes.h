// Finds outliers in a sequence of numbers: how many standard deviations a value lies above the last 128 (as
// in llm.c).
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace smallmind {

class SpikeWindow {
 public:
  static constexpr std::int64_t kSize = 128;

  // (value - mean) / deviation of the window, 0 until it is full. Does not add the value.
  double z_score(double value) const noexcept {
    if (count_ < kSize) return 0;
    double mean = 0, variance = 0;
    for (const double each : values_) mean += each / kSize;
    for (const double each : values_) variance += (each - mean) * (each - mean) / kSize;
    return variance > 0 ? (value - mean) / std::sqrt(variance) : 0;
  }

  void add(double value) noexcept { values_[static_cast<std::size_t>(count_++ % kSize)] = value; }

  // For saving: the numbers added so far, and the last of them at place i % 128.
  std::int64_t count() const noexcept { return count_; }
  const std::array<double, kSize>& values() const noexcept { return values_; }
  void restore(std::int64_t count, const std::array<double, kSize>& values) noexcept {
    count_ = count;
    values_ = values;
  }

 private:
  std::array<double, kSize> values_{};
  std::int64_t count_ = 0;
};

}  // namespace smallmind
