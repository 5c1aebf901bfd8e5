// The log's sink: the one global, and standard error as its default.
#include "base/log.h"

#include <atomic>
#include <cstdio>

namespace smallmind {
namespace {

void write_to_stderr(void*, LogLevel level, std::string_view text) noexcept {
  constexpr const char* kPrefixes[] = {"debug: ", "", "warning: ", "error: "};
  std::fprintf(stderr, "%s%.*s\n", kPrefixes[static_cast<int>(level)], static_cast<int>(text.size()),
               text.data());
}

constexpr LogSink kStandardError{write_to_stderr, nullptr, LogLevel::info};

constinit std::atomic<const LogSink*> current_sink{&kStandardError};

}  // namespace

const LogSink* set_log_sink(const LogSink* sink) noexcept {
  return current_sink.exchange(sink != nullptr ? sink : &kStandardError);
}

bool log_enabled(LogLevel level) noexcept {
  return level >= current_sink.load(std::memory_order_acquire)->least;
}

void log_line(LogLevel level, std::string_view text) noexcept {
  const LogSink* sink = current_sink.load(std::memory_order_acquire);
  if (level >= sink->least) sink->write(sink->context, level, text);
}

}  // namespace smallmind
