// The search narrows a range of the byte-sorted added tokens by one byte of text at a time: O(length x
// log(tokens)) at a position that starts like a token, and a find_first_of over the others.
#include "text/vocabulary.h"

#include <algorithm>

#include "base/error.h"

namespace smallmind {

int32_t Vocabulary::add(std::string_view bytes, TokenKind kind) {
  if (kinds_.size() >= size_t{INT32_MAX})
    fail_input("[tokenizer] at most {} tokens expected, more found", INT32_MAX);
  const int32_t id = size();
  if (kind != TokenKind::normal) {
    if (bytes.empty() || bytes.size() > kLongestAddedToken) {
      fail_input("[tokenizer] an added token of 1 to {} bytes expected, token {} has {}", kLongestAddedToken,
                 id, bytes.size());
    }
    if (added_.size() >= kMostAddedTokens) {
      fail_input("[tokenizer] at most {} added tokens expected, more found", kMostAddedTokens);
    }
    const auto at = std::lower_bound(added_.begin(), added_.end(), bytes,
                                     [&](int32_t a, std::string_view b) { return this->bytes(a) < b; });
    if (at != added_.end() && this->bytes(*at) == bytes) {
      fail_input("[tokenizer] distinct added tokens expected, tokens {} and {} are both \"{}\"", *at, id,
                 bytes);
    }
    added_.insert(at, id);
    if (first_bytes_.find(bytes[0]) == std::string::npos) first_bytes_.push_back(bytes[0]);
  }
  blob_.append(bytes);
  offsets_.push_back(blob_.size());
  kinds_.push_back(kind);
  longest_ = std::max(longest_, bytes.size());
  return id;
}

std::optional<int32_t> Vocabulary::added_id(std::string_view text) const {
  const auto at = std::lower_bound(added_.begin(), added_.end(), text,
                                   [&](int32_t a, std::string_view b) { return bytes(a) < b; });
  if (at == added_.end() || bytes(*at) != text) return std::nullopt;
  return *at;
}

std::optional<Vocabulary::Match> Vocabulary::find_added(std::string_view text, size_t from,
                                                        bool parse_special) const {
  if (added_.empty()) return std::nullopt;
  for (size_t begin = text.find_first_of(first_bytes_, from); begin != std::string_view::npos;
       begin = text.find_first_of(first_bytes_, begin + 1)) {
    if (const auto match = added_at(text, begin, parse_special)) return match;
  }
  return std::nullopt;
}

std::optional<Vocabulary::Match> Vocabulary::added_at(std::string_view text, size_t begin,
                                                      bool parse_special) const {
  std::optional<Match> longest;
  auto low = added_.begin();
  auto high = added_.end();
  for (size_t n = 0; begin + n < text.size() && low != high; ++n) {
    // [low, high) share the first n bytes of the text here; the token of exactly n bytes, if any, sorts
    // first.
    const auto next = static_cast<unsigned char>(text[begin + n]);
    const auto byte_of = [&](int32_t id) {
      const std::string_view b = bytes(id);
      return b.size() == n ? -1 : static_cast<int>(static_cast<unsigned char>(b[n]));
    };
    low = std::partition_point(low, high, [&](int32_t id) { return byte_of(id) < next; });
    high = std::partition_point(low, high, [&](int32_t id) { return byte_of(id) <= next; });
    if (low != high && bytes(*low).size() == n + 1 && (parse_special || kind(*low) == TokenKind::added)) {
      longest = Match{begin, n + 1, *low};
    }
  }
  return longest;
}

}  // namespace smallmind
