// Byte-pair merging of one piece: repeatedly join the neighbours whose merge has the lowest rank, leftmost
// first (Sennrich et al. 2016), in place.
//
// Short pieces rescan an array of ranks, O(n^2) with n <= 48 and no allocation. Long ones keep, per rank, the
// list of places where it applies, and a heap of the ranks at hand: O(n log n) in the worst case, and
// near-linear on the 10^7 equal characters that make the textbook loop quadratic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace smallmind {

struct Merge {
  int32_t left;
  int32_t right;
  int32_t result;  // the token whose bytes are those of left, then those of right
};

class MergeTable {
 public:
  static constexpr uint32_t kNoMerge = UINT32_MAX;

  // Merges in order of rank, the first one applied first; of two merges of the same pair the later counts.
  explicit MergeTable(std::vector<Merge> merges);

  const std::vector<Merge>& merges() const { return merges_; }

  // The rank of joining the two tokens, or kNoMerge.
  uint32_t rank(int32_t left, int32_t right) const;

 private:
  struct Slot {
    uint64_t pair;
    uint32_t rank;  // kNoMerge: free
  };
  std::vector<Merge> merges_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

// Merges `symbols` as far as the table goes; the result stands at the front, its length is returned.
// token_lengths[id] is the number of first symbols that token `id` spans. symbols.size() < 2^31.
size_t apply_merges(const MergeTable& table, std::span<const uint32_t> token_lengths,
                    std::span<int32_t> symbols);

// The two algorithms behind apply_merges; they give the same result for every input.
size_t apply_merges_short(const MergeTable& table, std::span<int32_t> symbols);
size_t apply_merges_long(const MergeTable& table, std::span<const uint32_t> token_lengths,
                         std::span<int32_t> symbols);

}  // namespace smallmind
