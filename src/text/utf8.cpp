// A decoder without tables: the lead byte fixes the length and the legal range of the second byte, which is
// where overlong forms (E0, F0), surrogates (ED) and values above U+10FFFF (F4) are told apart (Unicode table
// 3-7).
#include "text/utf8.h"

namespace smallmind {

Utf8Char decode_utf8(std::string_view text, size_t pos) noexcept {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t lead = byte(pos);
  if (lead < 0x80) return {static_cast<char32_t>(lead), 1, Utf8Status::valid};
  if (lead < 0xC2 || lead > 0xF4) return {kReplacementCharacter, 1, Utf8Status::invalid};

  const uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint32_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  uint32_t code = lead & (0x7Fu >> length);
  for (uint32_t i = 1; i < length; ++i) {
    if (pos + i == text.size()) return {kReplacementCharacter, i, Utf8Status::truncated};
    const uint32_t next = byte(pos + i);
    if (next < low || next > high) return {kReplacementCharacter, i, Utf8Status::invalid};
    code = (code << 6) | (next & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {static_cast<char32_t>(code), length, Utf8Status::valid};
}

void append_utf8(std::string& out, char32_t code) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = kReplacementCharacter;
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  const uint32_t c = code;
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

size_t valid_utf8_prefix(std::string_view text) noexcept {
  size_t pos = 0;
  while (pos < text.size()) {
    const Utf8Char c = decode_utf8(text, pos);
    if (c.status != Utf8Status::valid) return pos;
    pos += c.length;
  }
  return pos;
}

void append_valid_utf8(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const size_t good = valid_utf8_prefix(text);
    out.append(text.substr(0, good));
    text.remove_prefix(good);
    if (text.empty()) return;
    append_utf8(out, kReplacementCharacter);
    text.remove_prefix(decode_utf8(text, 0).length);
  }
}

}  // namespace smallmind
