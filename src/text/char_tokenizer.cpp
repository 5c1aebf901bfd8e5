// ASCII goes through a table of 128 ids, everything else through a hash map.
#include "text/char_tokenizer.h"

#include "base/error.h"
#include "text/utf8.h"

namespace smallmind {

std::unique_ptr<CharTokenizer> CharTokenizer::from_text(std::string_view text) {
  constexpr char32_t kCodePoints = 0x110000;
  std::vector<bool> seen(kCodePoints, false);
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Char c = decode_utf8(text, pos);
    seen[c.code] = true;
    pos += c.length;
  }
  Vocabulary vocabulary;
  std::string bytes;
  for (char32_t code = 0; code < kCodePoints; ++code) {
    if (!seen[code]) continue;
    bytes.clear();
    append_utf8(bytes, code);
    vocabulary.add(bytes, TokenKind::normal);
  }
  vocabulary.add(kEndOfText, TokenKind::special);
  return std::make_unique<CharTokenizer>(std::move(vocabulary));
}

CharTokenizer::CharTokenizer(Vocabulary vocabulary, std::optional<int32_t> bos)
    : Tokenizer(std::move(vocabulary), bos), ascii_ids_(128, -1) {
  for (int32_t id = 0; id < vocab_size(); ++id) {
    if (this->vocabulary().kind(id) != TokenKind::normal) continue;
    const std::string_view bytes = token_bytes(id);
    const Utf8Char c = bytes.empty() ? Utf8Char{0, 0, Utf8Status::invalid} : decode_utf8(bytes, 0);
    if (c.status != Utf8Status::valid || c.length != bytes.size()) {
      fail_input("[char tokenizer] one Unicode character per token expected, token {} has {} bytes", id,
                 bytes.size());
    }
    if (id_of(c.code) >= 0) {
      fail_input("[char tokenizer] distinct characters expected, U+{:04X} is token {} and {}",
                 static_cast<uint32_t>(c.code), id_of(c.code), id);
    }
    if (c.code < 128) {
      ascii_ids_[c.code] = id;
    } else {
      other_ids_.emplace(c.code, id);
    }
  }
}

int32_t CharTokenizer::id_of(char32_t code) const {
  if (code < 128) return ascii_ids_[code];
  const auto at = other_ids_.find(code);
  return at == other_ids_.end() ? -1 : at->second;
}

void CharTokenizer::encode_plain(std::string_view text, std::vector<int32_t>& ids) const {
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Char c = decode_utf8(text, pos);
    const int32_t id = id_of(c.code);
    if (id < 0) {
      fail_input(
          "[char tokenizer] a character of the vocabulary expected, U+{:04X} found (byte {} of the text)",
          static_cast<uint32_t>(c.code), pos);
    }
    ids.push_back(id);
    pos += c.length;
  }
}

}  // namespace smallmind
