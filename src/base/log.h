// Messages for people: four levels and one replaceable sink, standard error by default ("warning: text").
// For what a program should say while it works; errors are thrown, results are returned. Thread-safe.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace smallmind {

enum class LogLevel { debug, info, warning, error };

// write is called with one line, without its end, from any thread, and must not throw.
struct LogSink {
  void (*write)(void* context, LogLevel level, std::string_view text) noexcept;
  void* context;
  LogLevel least;  // less important messages are not even formatted
};

// Replaces the sink; nullptr brings standard error (from info up) back. The sink must outlive its use.
// Returns the former one.
const LogSink* set_log_sink(const LogSink* sink) noexcept;

bool log_enabled(LogLevel level) noexcept;
void log_line(LogLevel level, std::string_view text) noexcept;

template <typename... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::debug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::info, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::error, format, std::forward<Args>(args)...);
}

}  // namespace smallmind
