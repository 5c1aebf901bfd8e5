// The longest prefix of a stop string that the text ends with is exactly what has to wait: Knuth, Morris,
// Pratt 1977.
#include "text/stop_matcher.h"

#include <algorithm>

#include "base/error.h"

namespace smallmind {

StopMatcher::StopMatcher(std::vector<std::string> stops, size_t piece_bytes) {
  size_t longest = 0;
  for (std::string& text : stops) {
    if (text.empty() || text.size() >= UINT32_MAX) {
      fail_usage("[stop] stop strings of at least one byte expected, one of {} found", text.size());
    }
    longest = std::max(longest, text.size());
    std::vector<uint32_t> border(text.size(), 0);
    for (size_t i = 1; i < text.size(); ++i) {
      uint32_t n = border[i - 1];
      while (n > 0 && text[n] != text[i]) n = border[n - 1];
      border[i] = n + (text[n] == text[i]);
    }
    stops_.push_back({std::move(text), std::move(border)});
  }
  text_.reserve(longest + 2 * piece_bytes);
}

bool StopMatcher::advance(Stop& stop, char byte) const {
  while (stop.matched > 0 && stop.text[stop.matched] != byte) stop.matched = stop.border[stop.matched - 1];
  stop.matched += stop.text[stop.matched] == byte;
  return stop.matched == stop.text.size();
}

std::string_view StopMatcher::push(std::string_view piece) {
  text_.erase(0, returned_);
  returned_ = 0;
  if (stopped_) return {};
  for (size_t i = 0; i < piece.size(); ++i) {
    size_t longest = 0;
    for (Stop& stop : stops_) {
      if (advance(stop, piece[i])) longest = std::max(longest, stop.text.size());
    }
    if (longest == 0) continue;
    stopped_ = true;
    text_.append(piece.substr(0, i + 1));
    text_.resize(text_.size() - longest);
    returned_ = text_.size();
    return text_;
  }
  text_.append(piece);
  size_t held = 0;
  for (const Stop& stop : stops_) held = std::max<size_t>(held, stop.matched);
  returned_ = text_.size() - held;
  return std::string_view(text_).substr(0, returned_);
}

std::string_view StopMatcher::finish() {
  text_.erase(0, returned_);
  returned_ = text_.size();
  stopped_ = false;
  for (Stop& stop : stops_) stop.matched = 0;
  return text_;
}

}  // namespace smallmind
