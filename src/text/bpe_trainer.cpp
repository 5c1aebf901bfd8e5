// Pair counts are kept up to date, not recounted: a merge visits only the words that hold the pair, takes
// their pairs out of the counts, merges, and puts the pairs back in. The next pair comes from a heap whose
// entries may be out of date: counts rise only for pairs that hold the token just made, and those are pushed
// anew; all others can only fall, so an entry that is too high is put back with its true count when it
// surfaces, and the first one that is right is the maximum.
#include "text/bpe_trainer.h"

#include <algorithm>
#include <queue>

#include "base/error.h"
#include "text/byte_level.h"

namespace smallmind {
namespace {

struct Word {
  size_t begin;  // in symbols_
  uint32_t size;
  uint64_t count;
};

struct Candidate {
  uint64_t count;
  int32_t left;
  int32_t right;

  // The heap's top is the most frequent pair, of equals the one with the smallest ids.
  bool operator<(const Candidate& other) const {
    if (count != other.count) return count < other.count;
    return left != other.left ? left > other.left : right > other.right;
  }
};

struct Pair {
  uint64_t count = 0;
  std::vector<uint32_t> words;  // that held the pair at some time; may repeat and may be out of date
};

uint64_t key(int32_t left, int32_t right) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) | static_cast<uint32_t>(right);
}

struct KeyHash {
  size_t operator()(uint64_t k) const noexcept {
    return static_cast<size_t>((k ^ (k >> 31)) * 0x9E3779B97F4A7C15u);
  }
};

class Learner {
 public:
  Learner(const PieceCounts& counts, const std::array<int32_t, 256>& byte_ids) {
    if (counts.size() >= UINT32_MAX) fail_input("[bpe trainer] fewer than 2^32 pieces expected, more found");
    words_.reserve(counts.size());
    for (const auto& [piece, count] : counts) {
      if (piece.size() < 2) continue;
      words_.push_back({symbols_.size(), static_cast<uint32_t>(piece.size()), count});
      for (const char byte : piece) symbols_.push_back(byte_ids[static_cast<unsigned char>(byte)]);
    }
    for (uint32_t w = 0; w < words_.size(); ++w) add_pairs(w, kAnyToken);
    for (const auto& [k, pair] : pairs_) push(k, pair.count);
  }

  // The most frequent pair, or a count of 0 when there is none.
  Candidate next() {
    while (!heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      const auto at = pairs_.find(key(top.left, top.right));
      if (at == pairs_.end()) continue;
      if (at->second.count == top.count) return top;
      if (at->second.count > 0) {
        push(at->first, at->second.count);
      } else {
        pairs_.erase(at);
      }
    }
    return {0, 0, 0};
  }

  void merge(int32_t left, int32_t right, int32_t result) {
    auto node = pairs_.extract(key(left, right));
    std::vector<uint32_t>& words = node.mapped().words;
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (const uint32_t w : words) merge_word(w, left, right, result);
    std::sort(created_.begin(), created_.end());
    created_.erase(std::unique(created_.begin(), created_.end()), created_.end());
    for (const uint64_t k : created_) {
      if (const auto at = pairs_.find(k); at != pairs_.end()) push(k, at->second.count);
    }
    created_.clear();
  }

 private:
  static constexpr int32_t kAnyToken = -1;

  void push(uint64_t k, uint64_t count) {
    heap_.push({count, static_cast<int32_t>(k >> 32), static_cast<int32_t>(k & 0xFFFFFFFF)});
  }

  // Counts the pairs of the word; notes the word at pairs that hold `token`.
  void add_pairs(uint32_t w, int32_t token) {
    const Word& word = words_[w];
    for (uint32_t i = 0; i + 1 < word.size; ++i) {
      const int32_t left = symbols_[word.begin + i];
      const int32_t right = symbols_[word.begin + i + 1];
      Pair& pair = pairs_[key(left, right)];
      pair.count = saturating_add(pair.count, word.count);
      if (token != kAnyToken && left != token && right != token) continue;
      if (pair.words.empty() || pair.words.back() != w) pair.words.push_back(w);
      if (token != kAnyToken) created_.push_back(key(left, right));
    }
  }

  void remove_pairs(const Word& word) {
    for (uint32_t i = 0; i + 1 < word.size; ++i) {
      const auto at = pairs_.find(key(symbols_[word.begin + i], symbols_[word.begin + i + 1]));
      if (at != pairs_.end()) at->second.count -= std::min(at->second.count, word.count);
    }
  }

  void merge_word(uint32_t w, int32_t left, int32_t right, int32_t result) {
    Word& word = words_[w];
    int32_t* symbols = symbols_.data() + word.begin;
    const auto holds_pair = [&] {
      for (uint32_t i = 0; i + 1 < word.size; ++i) {
        if (symbols[i] == left && symbols[i + 1] == right) return true;
      }
      return false;
    };
    if (!holds_pair()) return;
    remove_pairs(word);
    uint32_t size = 0;
    for (uint32_t i = 0; i < word.size; ++size) {
      const bool joined = i + 1 < word.size && symbols[i] == left && symbols[i + 1] == right;
      symbols[size] = joined ? result : symbols[i];
      i += joined ? 2 : 1;
    }
    word.size = size;
    add_pairs(w, result);
  }

  std::vector<int32_t>
      symbols_;  // of all words, one after another; a merged word uses the front of its place
  std::vector<Word> words_;
  std::unordered_map<uint64_t, Pair, KeyHash> pairs_;
  std::priority_queue<Candidate> heap_;
  std::vector<uint64_t> created_;
};

}  // namespace

BpeTrainer::BpeTrainer(BpeTrainerOptions options)
    : options_(std::move(options)), counter_(options_.pattern, options_.threads, options_.most_pieces) {
  const int32_t least = options_.end_of_text ? 257 : 256;
  if (options_.vocab_size < least) {
    fail_usage("[bpe trainer] a vocabulary of at least {} tokens (256 bytes{}) expected, {} found", least,
               options_.end_of_text ? " and the end of text" : "", options_.vocab_size);
  }
}

std::unique_ptr<BpeTokenizer> BpeTrainer::train(const BpeProgress& progress) const {
  Vocabulary vocabulary;
  std::array<int32_t, 256> byte_ids;
  for (const uint8_t byte : bytes_in_unicode_order()) {
    byte_ids[byte] = vocabulary.add(std::string(1, static_cast<char>(byte)), TokenKind::normal);
  }
  Learner learner(counter_.counts(), byte_ids);
  const int32_t wanted = options_.vocab_size - 256 - (options_.end_of_text ? 1 : 0);
  std::unordered_map<std::string, int32_t> ids;  // of the merged tokens, by their bytes
  std::vector<Merge> merges;
  const int32_t made_before = vocabulary.size();
  while (vocabulary.size() - made_before < wanted) {
    const Candidate best = learner.next();
    if (best.count == 0 || best.count < options_.min_count) break;
    std::string bytes(vocabulary.bytes(best.left));
    bytes += vocabulary.bytes(best.right);
    // "a" + "aa" and "aa" + "a" are two merges into one token.
    const auto [at, is_new] = ids.try_emplace(std::move(bytes), vocabulary.size());
    if (is_new) vocabulary.add(at->first, TokenKind::normal);
    merges.push_back({best.left, best.right, at->second});
    learner.merge(best.left, best.right, at->second);
    if (progress && !progress(vocabulary.size() - made_before, wanted, best.count)) break;
  }
  if (options_.end_of_text) vocabulary.add(kEndOfText, TokenKind::special);
  BpeOptions bpe;
  bpe.pattern = options_.pattern;
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(merges), std::move(bpe));
}

}  // namespace smallmind
