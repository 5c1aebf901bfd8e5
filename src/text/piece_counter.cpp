// Each round takes kRoundBlocks blocks from the text; a thread counts the next free block into a map of views
// of its own, so threads share nothing but a block number until they add up.
#include "text/piece_counter.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "base/error.h"

namespace smallmind {
namespace {

constexpr size_t kBlockBytes = 128 * 1024;
constexpr size_t kRoundBlocks = 32;  // 4 MiB of text between two looks at the limit

using ViewCounts = std::unordered_map<std::string_view, uint64_t>;

void count_block(PieceScanner& scanner, std::string_view block, ViewCounts& counts) {
  scanner.start(block);
  for (std::string_view piece; scanner.next(piece);) {
    for (; piece.size() > PieceCounter::kLongestPiece; piece.remove_prefix(PieceCounter::kLongestPiece)) {
      ++counts[piece.substr(0, PieceCounter::kLongestPiece)];
    }
    ++counts[piece];
  }
}

}  // namespace

uint64_t saturating_add(uint64_t a, uint64_t b) {
  return a + b < a ? UINT64_MAX : a + b;
}

PieceCounter::PieceCounter(std::string_view pattern, int threads, size_t most_pieces)
    : pretokenizer_(pattern), threads_(threads), most_pieces_(most_pieces) {
  if (threads < 1) fail_usage("[bpe trainer] at least one thread expected, {} found", threads);
  if (most_pieces < 1)
    fail_usage("[bpe trainer] a limit of at least one piece expected, {} found", most_pieces);
}

void PieceCounter::add(std::string_view text) {
  bytes_ += text.size();
  std::vector<std::string_view> blocks;
  while (!text.empty()) {
    const size_t end = block_end(text, kBlockBytes);
    blocks.push_back(text.substr(0, end));
    text.remove_prefix(end);
    if (blocks.size() < kRoundBlocks && !text.empty()) continue;
    count_blocks(blocks);
    blocks.clear();
    prune();
  }
}

void PieceCounter::add_piece(std::string_view piece, uint64_t count) {
  const auto at = counts_.find(piece);
  if (at != counts_.end()) {
    at->second = saturating_add(at->second, count);
  } else {
    counts_.emplace(piece, count);
  }
}

void PieceCounter::count_blocks(const std::vector<std::string_view>& blocks) {
  const size_t workers = std::min(static_cast<size_t>(threads_), blocks.size());
  std::vector<ViewCounts> local(workers);
  std::vector<std::exception_ptr> errors(workers);
  std::atomic<size_t> next_block = 0;
  const auto work = [&](size_t worker) {
    try {
      PieceScanner scanner(pretokenizer_);
      for (size_t i = next_block++; i < blocks.size(); i = next_block++)
        count_block(scanner, blocks[i], local[worker]);
    } catch (...) {
      errors[worker] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (size_t worker = 1; worker < workers; ++worker) threads.emplace_back(work, worker);
    work(0);
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  for (const ViewCounts& counts : local) {
    for (const auto& [piece, count] : counts) add_piece(piece, count);
  }
}

void PieceCounter::prune() {
  if (counts_.size() <= most_pieces_) return;
  std::vector<PieceCounts::const_iterator> order;
  order.reserve(counts_.size());
  for (auto at = counts_.cbegin(); at != counts_.cend(); ++at) order.push_back(at);
  const auto keep = order.begin() + static_cast<std::ptrdiff_t>(std::max<size_t>(most_pieces_ / 4 * 3, 1));
  std::nth_element(order.begin(), keep, order.end(), [](const auto& a, const auto& b) {
    return a->second != b->second ? a->second > b->second : a->first < b->first;
  });
  for (auto at = keep; at != order.end(); ++at) {
    dropped_ = saturating_add(dropped_, (*at)->second);
    counts_.erase(*at);
  }
}

}  // namespace smallmind
