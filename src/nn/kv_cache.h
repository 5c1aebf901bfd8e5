// KvCache: the keys and values of the positions already seen, per layer, sequence and kv head.
//
// Keys are transposed in panels of 16 positions, [S/16][K][16], so that the scores of 16 keys are computed by
// one chain of vector multiply-adds over K; values are rows (S, K). f32. All memory is taken at construction.
// The attention op writes new rows; the owner of the cache moves the lengths with advance() after a whole
// forward. Thread safety: one forward at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernels.h"
#include "nn/token_batch.h"
#include "tensor/buffer.h"

namespace smallmind {

class KvCache {
 public:
  KvCache(Index layers, Index sequences, Index capacity, Index kv_heads, Index head_width);

  float* key_panels(Index layer, Index sequence, Index kv_head) const noexcept {
    return base(layer, sequence, kv_head);
  }
  float* values(Index layer, Index sequence, Index kv_head) const noexcept {  // (S, K)
    return base(layer, sequence, kv_head) + padded_capacity_ * head_width_;
  }

  Index capacity() const noexcept { return capacity_; }
  Index sequences() const noexcept { return static_cast<Index>(lengths_.size()); }
  Index length(Index sequence) const { return lengths_.at(static_cast<std::size_t>(sequence)); }
  std::size_t bytes() const noexcept { return block_.size(); }

  // Throws Error{usage} if a segment does not continue its sequence or does not fit.
  void check_fits(const TokenBatch& batch) const;
  void advance(const TokenBatch& batch) noexcept;
  // Forgets everything from `length` on (length <= the present one).
  void truncate(Index sequence, Index length);

 private:
  float* base(Index layer, Index sequence, Index kv_head) const noexcept {
    const Index unit = (layer * sequences() + sequence) * kv_heads_ + kv_head;
    return block_.as<float>() + unit * 2 * padded_capacity_ * head_width_;
  }

  Index capacity_, padded_capacity_, kv_heads_, head_width_;
  std::vector<Index> lengths_;
  Buffer block_;
};

}  // namespace smallmind
