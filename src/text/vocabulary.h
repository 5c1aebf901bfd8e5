// The table of a tokenizer: the bytes and the kind of every token id, and the search for added tokens in a
// text.
//
// Token bytes lie in one blob with offsets: a vocabulary of 128,000 tokens is three allocations, a look-up
// two loads. Ids are dense: 0 .. size()-1 in the order of add().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smallmind {

enum class TokenKind : uint8_t {
  normal,   // made by the model of the tokenizer
  added,    // matched literally in every text, before the model sees it
  special,  // a control token: made from text only where the caller asks for it
};

class Vocabulary {
 public:
  // The longest added or special token, in bytes; bounds the search at each position of a text.
  static constexpr size_t kLongestAddedToken = 512;
  // The most added and special tokens; the models of 2025 have up to some 6,000.
  static constexpr size_t kMostAddedTokens = 32768;

  // Appends a token and returns its id. Throws bad_input when an added token is empty, too long, there
  // already or one too many.
  int32_t add(std::string_view bytes, TokenKind kind);

  int32_t size() const { return static_cast<int32_t>(kinds_.size()); }
  bool contains(int32_t id) const { return id >= 0 && id < size(); }

  // Both need contains(id). The bytes are valid as long as the vocabulary does not grow or move.
  std::string_view bytes(int32_t id) const {
    const auto i = static_cast<size_t>(id);
    return std::string_view(blob_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  TokenKind kind(int32_t id) const { return kinds_[static_cast<size_t>(id)]; }

  size_t longest_token_bytes() const { return longest_; }

  // The id of the added or special token whose text is exactly `text`.
  std::optional<int32_t> added_id(std::string_view text) const;

  struct Match {
    size_t begin;
    size_t length;
    int32_t id;
  };

  // The leftmost, then longest, added token at or after `from`; special ones only with `parse_special`.
  std::optional<Match> find_added(std::string_view text, size_t from, bool parse_special) const;

 private:
  std::optional<Match> added_at(std::string_view text, size_t begin, bool parse_special) const;

  std::string blob_;
  std::vector<size_t> offsets_{0};
  std::vector<TokenKind> kinds_;
  std::vector<int32_t> added_;  // ids of the added and special tokens, sorted by their bytes
  std::string first_bytes_;     // the distinct first bytes of added_
  size_t longest_ = 0;
};

}  // namespace smallmind
