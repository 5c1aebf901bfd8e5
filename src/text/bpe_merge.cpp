// The long algorithm needs no linked list. A token that spans the places p .. e stores its id at p and at e
// (boundary tags, as in Knuth's allocator), so its right neighbour starts at p + length(id[p]) and its left
// neighbour ends at p - 1. A place noted for a merge is stale when the ids there are no longer the merge's:
// tokens only grow, so an id never comes back.
//
// Ranks are served lowest first, each with its places from left to right. A merge of rank r can only make
// pairs that contain its own result, so no place of rank r appears while rank r is served; one with a lower
// rank may (a table need not be in the order in which its tokens are built) and goes first: then the list of
// r waits with a cursor.
#include "text/bpe_merge.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <queue>
#include <unordered_map>

#include "base/error.h"

namespace smallmind {
namespace {

constexpr size_t kShortPiece = 48;
constexpr int32_t kInterior = -1;

uint64_t pair_key(int32_t left, int32_t right) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) | static_cast<uint32_t>(right);
}

size_t hash(uint64_t pair) {
  const uint64_t mixed = (pair ^ (pair >> 32)) * 0x9E3779B97F4A7C15u;
  return static_cast<size_t>(mixed ^ (mixed >> 29));
}

class LongMerger {
 public:
  LongMerger(const MergeTable& table, std::span<const uint32_t> lengths, std::span<int32_t> symbols)
      : table_(table), lengths_(lengths), symbols_(symbols) {}

  size_t run() {
    for (size_t p = 0; p + 1 < symbols_.size(); ++p) note(p, p + 1);
    while (!ranks_.empty()) {
      const uint32_t rank = ranks_.top();
      ranks_.pop();
      serve(rank);
    }
    size_t count = 0;
    for (size_t p = 0; p < symbols_.size();) {
      const int32_t id = symbols_[p];
      p += length(id);
      symbols_[count++] = id;
    }
    return count;
  }

 private:
  struct Places {
    std::vector<uint32_t> starts;
    size_t next = 0;
  };

  size_t length(int32_t id) const { return lengths_[static_cast<size_t>(id)]; }

  void note(size_t left, size_t right) {
    const uint32_t rank = table_.rank(symbols_[left], symbols_[right]);
    if (rank == MergeTable::kNoMerge) return;
    Places& places = places_[rank];
    if (places.starts.empty()) ranks_.push(rank);
    places.starts.push_back(static_cast<uint32_t>(left));
  }

  void serve(uint32_t rank) {
    Places& places = places_[rank];
    std::vector<uint32_t>& starts = places.starts;
    if (places.next == 0 && !std::is_sorted(starts.begin(), starts.end()))
      std::sort(starts.begin(), starts.end());
    const Merge& merge = table_.merges()[rank];
    while (places.next < starts.size()) {
      apply(merge, starts[places.next++]);
      if (!ranks_.empty() && ranks_.top() < rank && places.next < starts.size()) {
        ranks_.push(rank);
        return;
      }
    }
    places_.erase(rank);
  }

  void apply(const Merge& merge, size_t p) {
    if (symbols_[p] != merge.left) return;
    const size_t q = p + length(merge.left);
    if (q >= symbols_.size() || symbols_[q] != merge.right) return;
    const size_t end = q + length(merge.right);
    symbols_[q - 1] = kInterior;
    symbols_[q] = kInterior;
    symbols_[p] = merge.result;
    symbols_[end - 1] = merge.result;
    if (p > 0) note(p - length(symbols_[p - 1]), p);
    if (end < symbols_.size()) note(p, end);
  }

  const MergeTable& table_;
  std::span<const uint32_t> lengths_;
  std::span<int32_t> symbols_;
  std::unordered_map<uint32_t, Places> places_;  // references stay valid while it grows
  std::priority_queue<uint32_t, std::vector<uint32_t>, std::greater<>> ranks_;
};

}  // namespace

MergeTable::MergeTable(std::vector<Merge> merges) : merges_(std::move(merges)) {
  SM_CHECK(merges_.size() < kNoMerge, "[bpe] fewer than {} merges expected, {} found", kNoMerge,
           merges_.size());
  slots_.assign(std::bit_ceil(std::max<size_t>(2 * merges_.size(), 2)), Slot{0, kNoMerge});
  for (uint32_t rank = 0; rank < merges_.size(); ++rank) {
    const uint64_t pair = pair_key(merges_[rank].left, merges_[rank].right);
    size_t at = hash(pair) & (slots_.size() - 1);
    while (slots_[at].rank != kNoMerge && slots_[at].pair != pair) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {pair, rank};
  }
}

uint32_t MergeTable::rank(int32_t left, int32_t right) const {
  const uint64_t pair = pair_key(left, right);
  size_t at = hash(pair) & (slots_.size() - 1);
  while (slots_[at].rank != kNoMerge && slots_[at].pair != pair) at = (at + 1) & (slots_.size() - 1);
  return slots_[at].rank;
}

size_t apply_merges_short(const MergeTable& table, std::span<int32_t> symbols) {
  size_t count = symbols.size();
  if (count < 2) return count;
  SM_CHECK(count <= kShortPiece, "[bpe] a piece of at most {} symbols expected, {} found", kShortPiece,
           count);
  std::array<uint32_t, kShortPiece> ranks;  // ranks[i]: of joining symbols i and i + 1
  for (size_t i = 0; i + 1 < count; ++i) ranks[i] = table.rank(symbols[i], symbols[i + 1]);
  while (count > 1) {
    const auto end = ranks.begin() + static_cast<std::ptrdiff_t>(count - 1);
    const auto lowest = std::min_element(ranks.begin(), end);
    if (*lowest == MergeTable::kNoMerge) break;
    const auto i = static_cast<size_t>(lowest - ranks.begin());
    symbols[i] = table.merges()[*lowest].result;
    std::copy(symbols.begin() + static_cast<std::ptrdiff_t>(i + 2),
              symbols.begin() + static_cast<std::ptrdiff_t>(count),
              symbols.begin() + static_cast<std::ptrdiff_t>(i + 1));
    std::copy(lowest + 1, end, lowest);
    --count;
    if (i > 0) ranks[i - 1] = table.rank(symbols[i - 1], symbols[i]);
    if (i + 1 < count) ranks[i] = table.rank(symbols[i], symbols[i + 1]);
  }
  return count;
}

size_t apply_merges_long(const MergeTable& table, std::span<const uint32_t> token_lengths,
                         std::span<int32_t> symbols) {
  return LongMerger(table, token_lengths, symbols).run();
}

size_t apply_merges(const MergeTable& table, std::span<const uint32_t> token_lengths,
                    std::span<int32_t> symbols) {
  return symbols.size() <= kShortPiece ? apply_merges_short(table, symbols)
                                       : apply_merges_long(table, token_lengths, symbols);
}

}  // namespace smallmind
