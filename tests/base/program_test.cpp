// What programs need around the work: log, signals, progress line.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/log.h"
#include "base/signal.h"
#include "base/terminal.h"

namespace smallmind {
namespace {

TEST(Log, GoesToTheSinkFromItsLevelUp) {
  std::string text;
  const LogSink sink{[](void* c, LogLevel level, std::string_view line) noexcept {
                       *static_cast<std::string*>(c) +=
                           std::to_string(static_cast<int>(level)) + std::string(line) + "|";
                     },
                     &text, LogLevel::info};
  const LogSink* former = set_log_sink(&sink);
  log_debug("unseen {}", 1);
  log_info("a {}", 2);
  log_error("b");
  EXPECT_FALSE(log_enabled(LogLevel::debug));
  set_log_sink(former);
  EXPECT_EQ(text, "1a 2|3b|");
}

TEST(StopSignals, TheFirstSetsTheFlagAndTheSecondEnds) {
  {
    const StopSignals signals;
    EXPECT_FALSE(StopSignals::requested());
    raise(SIGTERM);
    EXPECT_TRUE(StopSignals::requested());
  }
  EXPECT_FALSE(StopSignals::requested());

  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const StopSignals signals;
    raise(SIGINT);
    if (!StopSignals::requested()) _exit(1);
    raise(SIGINT);
    _exit(2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
}

TEST(BrokenPipe, BecomesAnErrorCode) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ignore_broken_pipes();
    int ends[2];
    if (pipe(ends) != 0) _exit(1);
    close(ends[0]);
    _exit(write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

std::string written(std::FILE* file) {
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST(ProgressLine, PrintsPlainLinesRarely) {
  std::FILE* file = std::tmpfile();
  {
    ProgressLine line(file, false, std::chrono::hours(1));
    for (const char* text : {"1", "2", "3"}) line.update(text);
    EXPECT_FALSE(line.due());
    line.print("note");
  }
  EXPECT_EQ(written(file), "1\nnote\n3\n");
}

TEST(ProgressLine, RedrawsOnATerminal) {
  std::FILE* file = std::tmpfile();
  {
    ProgressLine line(file, true, {});
    line.update("first");
    line.update("\xC3\xA9" + std::string(100, 'x'));  // too soon: shown at the end, cut to 79 columns
    line.finish();
    line.finish();
  }
  EXPECT_EQ(written(file), "\rfirst\033[K\r\xC3\xA9" + std::string(78, 'x') + "\033[K\n");
}

TEST(Terminal, AFileIsNone) {
  std::FILE* file = std::tmpfile();
  EXPECT_FALSE(is_terminal(file));
  EXPECT_FALSE(use_color(file));
  EXPECT_EQ(terminal_width(file), 80);
  std::fclose(file);
}

}  // namespace
}  // namespace smallmind
