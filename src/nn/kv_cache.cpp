// KvCache; see kv_cache.h.
#include "nn/kv_cache.h"

#include "base/error.h"

namespace smallmind {

KvCache::KvCache(Index layers, Index sequences, Index capacity, Index kv_heads, Index head_width)
    : capacity_(capacity),
      padded_capacity_((capacity + kKeyPanel - 1) / kKeyPanel * kKeyPanel),
      kv_heads_(kv_heads),
      head_width_(head_width),
      lengths_(static_cast<std::size_t>(sequences), 0),
      block_(static_cast<std::size_t>(layers * sequences * kv_heads * 2 * padded_capacity_ * head_width) *
                 sizeof(float),
             MemoryCategory::kv_cache) {}

void KvCache::check_fits(const TokenBatch& batch) const {
  for (const Segment& segment : batch.segments) {
    if (segment.sequence < 0 || segment.sequence >= sequences())
      fail_usage("[kv_cache] a sequence below {} expected, {} given", sequences(), segment.sequence);
    if (segment.position != length(segment.sequence))
      fail_usage("[kv_cache] sequence {} goes on at position {}, rows at position {} given", segment.sequence,
                 length(segment.sequence), segment.position);
    if (segment.position + segment.rows > capacity_)
      fail_usage("[kv_cache] at most {} positions expected, {} needed", capacity_,
                 segment.position + segment.rows);
  }
}

void KvCache::advance(const TokenBatch& batch) noexcept {
  for (const Segment& segment : batch.segments)
    lengths_[static_cast<std::size_t>(segment.sequence)] += segment.rows;
}

void KvCache::truncate(Index sequence, Index length) {
  Index& present = lengths_.at(static_cast<std::size_t>(sequence));
  SM_CHECK(length >= 0 && length <= present, "[kv_cache] length {} cannot be cut to {}", present, length);
  present = length;
}

}  // namespace smallmind
