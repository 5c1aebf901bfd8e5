// TokenBatch: the rows that one forward pass computes. Each row is a (token, position, sequence); rows of one
// sequence stand together in a segment, so that prefill segments, single decode rows and training windows mix
// freely.
#pragma once

#include <cstdint>
#include <span>

namespace smallmind {

struct Segment {
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  std::int64_t position = 0;  // of the first row
  std::int64_t sequence = 0;  // slot of the KV cache
};

struct TokenBatch {
  std::span<const std::int32_t> tokens;  // (N)
  std::span<const Segment> segments;     // in row order, covering all N rows

  std::int64_t rows() const noexcept { return static_cast<std::int64_t>(tokens.size()); }
};

}  // namespace smallmind
