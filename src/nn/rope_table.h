// RopeTable: cosines and sines of rotary positions, (context, K/2) each, computed in double, and which
// elements of a head make a pair.
//
// angle(position, j) = position * theta^(-2j/K), j in [0, K/2).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace smallmind {

enum class RopeLayout : std::uint8_t {
  halves,      // pairs (j, j + K/2): Hugging Face
  interleaved  // pairs (2j, 2j + 1): Su et al., GGUF's llama files
};

class RopeTable {
 public:
  RopeTable() = default;
  RopeTable(std::int64_t context, std::int64_t head_width, double theta,
            RopeLayout layout = RopeLayout::halves)
      : layout_(layout),
        half_(head_width / 2),
        cosines_(static_cast<std::size_t>(context * half_)),
        sines_(static_cast<std::size_t>(context * half_)) {
    for (std::int64_t p = 0; p < context; ++p)
      for (std::int64_t j = 0; j < half_; ++j) {
        const double angle = static_cast<double>(p) *
                             std::pow(theta, -2.0 * static_cast<double>(j) / static_cast<double>(head_width));
        const auto at = static_cast<std::size_t>(p * half_ + j);
        cosines_[at] = static_cast<float>(std::cos(angle));
        sines_[at] = static_cast<float>(std::sin(angle));
      }
  }

  RopeLayout layout() const noexcept { return layout_; }
  std::int64_t half() const noexcept { return half_; }
  const float* cosines(std::int64_t position) const noexcept { return cosines_.data() + position * half_; }
  const float* sines(std::int64_t position) const noexcept { return sines_.data() + position * half_; }

 private:
  RopeLayout layout_ = RopeLayout::halves;
  std::int64_t half_ = 0;
  std::vector<float> cosines_, sines_;
};

}  // namespace smallmind
