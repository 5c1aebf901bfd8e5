// UTF-8 decoding and encoding for bytes that nobody has checked.
//
// Invalid input follows the Unicode Standard's "maximal subpart" practice (section 3.9, as WHATWG's decoder
// and Python's errors="replace" do): the longest prefix of a well-formed sequence counts as one error, any
// other byte as an error of its own. Overlong forms, surrogates and values above U+10FFFF are never
// well-formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace smallmind {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

enum class Utf8Status : uint8_t {
  valid,      // `length` bytes hold the character `code`
  truncated,  // the text ends inside a sequence that more bytes could complete
  invalid,    // `length` bytes (1 to 3) can belong to no character
};

struct Utf8Char {
  char32_t code;  // kReplacementCharacter unless valid
  uint32_t length;
  Utf8Status status;
};

// Reads the character that starts at byte `pos` < text.size(). Never reads outside `text`.
Utf8Char decode_utf8(std::string_view text, size_t pos) noexcept;

// Appends the UTF-8 form of `code`; what is no Unicode scalar value becomes U+FFFD.
void append_utf8(std::string& out, char32_t code);

// The offset of the first byte that is not part of a whole well-formed character, or text.size().
size_t valid_utf8_prefix(std::string_view text) noexcept;

// Appends `text` with every maximal invalid subpart replaced by U+FFFD.
void append_valid_utf8(std::string& out, std::string_view text);

}  // namespace smallmind
