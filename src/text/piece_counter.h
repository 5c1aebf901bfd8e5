// Counts how often each piece of the pre-tokenizer occurs in a corpus: all that a BPE trainer needs to know
// of it.
//
// Texts are cut into blocks (block_end) that depend on the text alone; threads count blocks, the counts are
// added up. Sums do not depend on who added first, so the result is the same for any number of threads.
//
// Memory is bounded. Pieces longer than kLongestPiece bytes are cut there. When more distinct pieces are
// known than the limit allows after a round of blocks, the rarest go, down to three quarters of the limit (of
// equally rare ones those last in byte order); the occurrences forgotten are counted in dropped(). Frequent
// pieces stay, in any order of the corpus but for a piece that was rare while it was young.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/pretokenizer.h"

namespace smallmind {

struct PieceHash {
  using is_transparent = void;
  size_t operator()(std::string_view piece) const noexcept { return std::hash<std::string_view>{}(piece); }
};
using PieceCounts = std::unordered_map<std::string, uint64_t, PieceHash, std::equal_to<>>;

class PieceCounter {
 public:
  static constexpr size_t kLongestPiece = 256;

  // threads >= 1; most_pieces >= 1.
  PieceCounter(std::string_view pattern, int threads, size_t most_pieces);

  // Counts the pieces of one document. Documents end pieces: none spans two.
  void add(std::string_view text);

  // Counts one piece `count` times; for counts that come from elsewhere. Sums saturate at 2^64 - 1.
  void add_piece(std::string_view piece, uint64_t count);

  const PieceCounts& counts() const { return counts_; }
  uint64_t bytes() const { return bytes_; }      // of all texts added
  uint64_t dropped() const { return dropped_; }  // occurrences of pieces that were forgotten

 private:
  void count_blocks(const std::vector<std::string_view>& blocks);
  void prune();

  Pretokenizer pretokenizer_;
  int threads_;
  size_t most_pieces_;
  PieceCounts counts_;
  uint64_t bytes_ = 0;
  uint64_t dropped_ = 0;
};

uint64_t saturating_add(uint64_t a, uint64_t b);

}  // namespace smallmind
