// Learns a byte-level BPE vocabulary (Sennrich et al. 2016, Radford et al. 2019): starting from the 256
// bytes, the most frequent pair of neighbours inside the pieces of the corpus becomes a token, again and
// again.
//
// Ids: the bytes in GPT-2's order, then the merges in the order in which they were made, then
// "<|endoftext|>". Of equally frequent pairs the one with the smaller left id, then right id, goes first, so
// the merges are a function of the corpus alone: not of the number of threads, the order of hash tables or
// the machine. Counts have 64 bits and saturate. Not done: learning across pieces, dropout, a minimum of
// coverage.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "text/bpe_tokenizer.h"
#include "text/piece_counter.h"

namespace smallmind {

struct BpeTrainerOptions {
  int32_t vocab_size =
      512;  // V with the bytes and the end of text; the result is smaller when the corpus has no more pairs
  std::string pattern{kGpt2Pattern};
  bool end_of_text = true;  // false: 256 bytes and merges only
  uint64_t min_count = 2;   // a pair that occurs less often is not merged
  size_t most_pieces =
      1'000'000;  // distinct pieces kept while counting; some 150 bytes of memory each in training
  int threads = 1;
};

// Called after every merge with the tokens made and wanted and the count of the last pair; false stops the
// training early.
using BpeProgress = std::function<bool(int32_t made, int32_t wanted, uint64_t pair_count)>;

class BpeTrainer {
 public:
  // Throws usage when vocab_size has no room for the bytes and the end of text, bad_input for a bad pattern.
  explicit BpeTrainer(BpeTrainerOptions options);

  // Counts one document, in any number of calls. Not thread-safe; uses options.threads threads itself.
  void add(std::string_view text) { counter_.add(text); }
  const PieceCounter& counter() const { return counter_; }
  PieceCounter& counter() { return counter_; }

  // Learns from what was added so far. An empty corpus gives the bytes and the end of text.
  std::unique_ptr<BpeTokenizer> train(const BpeProgress& progress = {}) const;

 private:
  BpeTrainerOptions options_;
  PieceCounter counter_;
};

}  // namespace smallmind
