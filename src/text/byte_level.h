// GPT-2's reversible map from the 256 bytes to printable Unicode characters, in which files of byte-level BPE
// write tokens.
//
// Bytes that are printable in Latin-1 (33..126, 161..172, 174..255) stand for themselves; the other 68, in
// ascending order, become U+0100, U+0101, ...: a space (32) is U+0120, a newline (10) U+010A. Radford et al.
// 2019.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smallmind {

// The bytes in ascending order of their code points: the order in which GPT-2 and the trainer number the byte
// tokens.
std::array<uint8_t, 256> bytes_in_unicode_order();

// "hello world" -> "hello\u0120world".
std::string to_byte_level(std::string_view bytes);

// The way back; nothing when a character is not in the map or the text is not UTF-8.
std::optional<std::string> from_byte_level(std::string_view text);

}  // namespace smallmind
