// Both directions are tables: 256 code points, and 324 code points back (U+0000 .. U+0143).
#include "text/byte_level.h"

#include <algorithm>
#include <numeric>

#include "text/utf8.h"

namespace smallmind {
namespace {

constexpr bool stands_for_itself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

constexpr std::array<char32_t, 256> make_map() {
  std::array<char32_t, 256> map{};
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    map[static_cast<size_t>(byte)] = stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return map;
}

constexpr std::array<char32_t, 256> kMap = make_map();
constexpr size_t kCodePoints = 0x100 + 68;

constexpr std::array<int16_t, kCodePoints> make_inverse() {
  std::array<int16_t, kCodePoints> inverse{};
  for (auto& byte : inverse) byte = -1;
  for (size_t byte = 0; byte < 256; ++byte) inverse[kMap[byte]] = static_cast<int16_t>(byte);
  return inverse;
}

constexpr std::array<int16_t, kCodePoints> kInverse = make_inverse();

}  // namespace

std::array<uint8_t, 256> bytes_in_unicode_order() {
  std::array<uint8_t, 256> bytes;
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  std::sort(bytes.begin(), bytes.end(), [](uint8_t a, uint8_t b) { return kMap[a] < kMap[b]; });
  return bytes;
}

std::string to_byte_level(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(text, kMap[static_cast<unsigned char>(byte)]);
  return text;
}

std::optional<std::string> from_byte_level(std::string_view text) {
  std::string bytes;
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Char c = decode_utf8(text, pos);
    if (c.status != Utf8Status::valid || c.code >= kCodePoints || kInverse[c.code] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kInverse[c.code]));
    pos += c.length;
  }
  return bytes;
}

}  // namespace smallmind
