// Stop strings in a stream of text: finds the first one however the stream is cut into pieces, and never lets
// a part of it out.
//
// Text that may be the beginning of a stop string is held back until the next pieces decide. The stop string
// that is complete first wins; of those complete at the same byte, the longest. One Knuth-Morris-Pratt
// automaton per stop string: time linear in the text for each of them, so thousands of stop strings want
// another structure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smallmind {

class StopMatcher {
 public:
  // Empty stop strings are refused with a usage error. Takes memory for pieces of up to `piece_bytes`; push()
  // allocates only when a piece is longer.
  explicit StopMatcher(std::vector<std::string> stops, size_t piece_bytes = 1024);

  // The text that may be shown now, valid until the next call. After a stop string it is the text before it,
  // then always empty.
  std::string_view push(std::string_view piece);

  // At the end of the stream: what was held back, unless a stop string came. The matcher is then as new.
  std::string_view finish();

  // True when a stop string has come.
  bool stopped() const { return stopped_; }

 private:
  struct Stop {
    std::string text;
    std::vector<uint32_t>
        border;            // border[i]: the longest proper border (prefix = suffix) of the first i + 1 bytes
    uint32_t matched = 0;  // bytes of `text` that the stream ends with
  };
  bool advance(Stop& stop, char byte) const;

  std::vector<Stop> stops_;
  std::string text_;     // what was returned last, then what is held back
  size_t returned_ = 0;  // bytes of text_ returned by the last call
  bool stopped_ = false;
};

}  // namespace smallmind
