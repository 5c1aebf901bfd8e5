// Text repeats its words, so a call remembers where in its own output it has put a piece and copies from
// there: no cache to lock, to bound over time or to share between threads.
#include "text/bpe_tokenizer.h"

#include "base/error.h"

namespace smallmind {
namespace {

constexpr size_t kMostRememberedPieces = 1 << 16;  // some 4 MiB
constexpr size_t kLongestRememberedPiece = 64;
constexpr size_t kLongestPiece = INT32_MAX;

struct Place {
  size_t begin;
  size_t count;
};

}  // namespace

BpeTokenizer::BpeTokenizer(Vocabulary vocabulary, std::vector<Merge> merges, const BpeOptions& options)
    : Tokenizer(std::move(vocabulary), options.bos),
      table_(std::move(merges)),
      pretokenizer_(options.pattern),
      ignore_merges_(options.ignore_merges) {
  const Vocabulary& v = this->vocabulary();
  byte_ids_.fill(-1);
  lengths_.resize(static_cast<size_t>(v.size()));
  for (int32_t id = 0; id < v.size(); ++id) {
    const std::string_view bytes = v.bytes(id);
    lengths_[static_cast<size_t>(id)] = static_cast<uint32_t>(bytes.size());
    if (v.kind(id) != TokenKind::normal) continue;
    if (bytes.size() == 1) byte_ids_[static_cast<unsigned char>(bytes[0])] = id;
    if (ignore_merges_) whole_pieces_.emplace(bytes, id);
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    if (byte_ids_[byte] < 0)
      fail_input("[bpe] a token for each of the 256 bytes expected, byte {} has none", byte);
  }
  for (size_t rank = 0; rank < table_.merges().size(); ++rank) {
    const Merge& m = table_.merges()[rank];
    const bool known = v.contains(m.left) && v.contains(m.right) && v.contains(m.result);
    const size_t left = known ? v.bytes(m.left).size() : 0;
    if (!known || left == 0 || left >= v.bytes(m.result).size() ||
        v.bytes(m.result).substr(0, left) != v.bytes(m.left) ||
        v.bytes(m.result).substr(left) != v.bytes(m.right)) {
      fail_input(
          "[bpe] a merge of two tokens into the token of their bytes expected, merge {} is {} + {} -> {}",
          rank, m.left, m.right, m.result);
    }
  }
}

void BpeTokenizer::encode_plain(std::string_view text, std::vector<int32_t>& ids) const {
  PieceScanner scanner(pretokenizer_);
  scanner.start(text);
  std::unordered_map<std::string_view, Place> seen;
  for (std::string_view piece; scanner.next(piece);) {
    if (piece.size() == 1) {
      ids.push_back(byte_ids_[static_cast<unsigned char>(piece[0])]);
      continue;
    }
    if (piece.size() > kLongestRememberedPiece) {
      encode_piece(piece, ids);
      continue;
    }
    if (const auto at = seen.find(piece); at != seen.end()) {
      const Place place = at->second;
      for (size_t i = 0; i < place.count; ++i) ids.push_back(ids[place.begin + i]);
      continue;
    }
    const size_t begin = ids.size();
    encode_piece(piece, ids);
    if (seen.size() < kMostRememberedPieces) seen.emplace(piece, Place{begin, ids.size() - begin});
  }
}

void BpeTokenizer::encode_piece(std::string_view piece, std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    const auto whole = whole_pieces_.find(piece);
    if (whole != whole_pieces_.end()) {
      ids.push_back(whole->second);
      return;
    }
  }
  if (piece.size() > kLongestPiece) {
    fail_input("[bpe] a piece of at most {} bytes expected, {} found", kLongestPiece, piece.size());
  }
  const size_t begin = ids.size();
  for (const char byte : piece) ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
  const size_t count = apply_merges(table_, lengths_, std::span(ids).subspan(begin));
  ids.resize(begin + count);
}

}  // namespace smallmind
