// Terminal queries and the progress line; see terminal.h.
#include "base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace smallmind {
namespace {

// The first `columns` characters, never half a UTF-8 sequence. Wide characters count as one.
std::string_view cut(std::string_view text, int columns) {
  std::size_t end = 0;
  for (int used = 0; end < text.size(); ++end) {
    const bool continuation = (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80;
    if (!continuation && used++ == columns) break;
  }
  return text.substr(0, end);
}

}  // namespace

bool is_terminal(std::FILE* stream) noexcept {
  return isatty(fileno(stream)) == 1;
}

int terminal_width(std::FILE* stream) noexcept {
  winsize size{};
  return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool use_color(std::FILE* stream) noexcept {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return is_terminal(stream) && (no_color == nullptr || *no_color == '\0') &&
         (term == nullptr || std::string_view(term) != "dumb");
}

ProgressLine::ProgressLine(std::FILE* stream, bool redraw, std::chrono::milliseconds plain_interval)
    : stream_(stream), redraw_(redraw), interval_(redraw ? std::chrono::milliseconds(100) : plain_interval) {}

ProgressLine::~ProgressLine() {
  finish();
}

bool ProgressLine::due() const noexcept {
  return last_ == std::chrono::steady_clock::time_point{} ||
         std::chrono::steady_clock::now() - last_ >= interval_;
}

void ProgressLine::update(std::string_view text) {
  text_ = text;
  pending_ = true;
  if (due()) show();
}

void ProgressLine::show() {
  if (redraw_) {
    const std::string_view line = cut(text_, terminal_width(stream_) - 1);
    std::fprintf(stream_, "\r%.*s\033[K", static_cast<int>(line.size()), line.data());
    drawn_ = true;
  } else {
    std::fprintf(stream_, "%s\n", text_.c_str());
  }
  std::fflush(stream_);
  last_ = std::chrono::steady_clock::now();
  pending_ = false;
}

void ProgressLine::print(std::string_view line) {
  std::fprintf(stream_, "%s%.*s\n", drawn_ ? "\r\033[K" : "", static_cast<int>(line.size()), line.data());
  if (drawn_)
    show();
  else
    std::fflush(stream_);
}

void ProgressLine::finish() {
  if (pending_) show();
  if (drawn_) std::fputc('\n', stream_);
  std::fflush(stream_);
  drawn_ = false;
}

}  // namespace smallmind
