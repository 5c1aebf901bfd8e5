// A lead byte fixes the number of continuation bytes and the range of the first of them; the others
// are 80..BF.
#include "io/utf8_check.h"

namespace smallmind {

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte_at = [&](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    const unsigned lead = byte_at(i);
    std::size_t length = 1;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead >= 0x80) {
      if (lead < 0xc2 || lead > 0xf4) return false;
      length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    }
    for (std::size_t k = 1; k < length; ++k) {
      const unsigned next = byte_at(i + k);
      if (next < low || next > high) return false;
      low = 0x80;
      high = 0xbf;
    }
    i += length;
  }
  return true;
}

}  // namespace smallmind
