// Appends the token's bytes to those that wait, takes whole characters from the front, keeps a truncated one.
#include "text/stream_decoder.h"

#include "text/utf8.h"

namespace smallmind {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool keep_special)
    : tokenizer_(tokenizer), keep_special_(keep_special) {
  constexpr size_t kLongestUnfinished = 3;
  const size_t most_bytes = tokenizer.longest_token_bytes() + kLongestUnfinished;
  bytes_.reserve(most_bytes);
  text_.reserve(3 * most_bytes);  // a byte that belongs to no character becomes the three bytes of U+FFFD
}

std::string_view StreamDecoder::push(int32_t id) {
  const std::string_view token = tokenizer_.token_bytes(id);
  text_.clear();
  if (tokenizer_.is_special(id) && !keep_special_) return text_;
  bytes_.append(token);
  size_t pos = 0;
  while (pos < bytes_.size()) {
    const Utf8Char c = decode_utf8(bytes_, pos);
    if (c.status == Utf8Status::truncated) break;
    append_utf8(text_, c.code);
    pos += c.length;
  }
  bytes_.erase(0, pos);
  return text_;
}

std::string_view StreamDecoder::finish() {
  text_.clear();
  append_valid_utf8(text_, bytes_);
  bytes_.clear();
  return text_;
}

}  // namespace smallmind
