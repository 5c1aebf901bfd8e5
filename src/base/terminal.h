// What standard output or error is connected to, and one line of progress that fits either: redrawn in place
// on a terminal, a plain line now and then in a log file.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

namespace smallmind {

bool is_terminal(std::FILE* stream) noexcept;

// Columns of the terminal, 80 where unknown.
int terminal_width(std::FILE* stream) noexcept;

// Whether colours may be used: a terminal, NO_COLOR unset or empty (no-color.org), TERM not "dumb".
bool use_color(std::FILE* stream) noexcept;

class ProgressLine {
 public:
  // redraw: on a terminal, at most 10 times a second, cut to its width; else whole lines, at most one per
  // `plain_interval`.
  explicit ProgressLine(std::FILE* stream)
      : ProgressLine(stream, is_terminal(stream), std::chrono::milliseconds(5000)) {}
  ProgressLine(std::FILE* stream, bool redraw, std::chrono::milliseconds plain_interval);
  ~ProgressLine();  // finish()
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Whether update() would write now: lets the caller skip formatting.
  bool due() const noexcept;
  void update(std::string_view text);
  // Prints a line above the progress line.
  void print(std::string_view line);
  // Shows the last text if it is not on the screen yet, and goes to a new line.
  void finish();

 private:
  void show();

  std::FILE* stream_;
  bool redraw_;
  std::chrono::milliseconds interval_;
  std::chrono::steady_clock::time_point last_{};
  std::string text_;
  bool pending_ = false;  // text_ has not been shown
  bool drawn_ = false;    // a line without its end is on the screen
};

}  // namespace smallmind
