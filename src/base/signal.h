// Ctrl-C and SIGTERM as a flag that long work looks at, and broken pipes as an error code instead of death.
// For programs, not for the library's own use: a library must not touch its host's signals unasked.
#pragma once

namespace smallmind {

// While it lives: the first SIGINT or SIGTERM sets the flag, the second ends the process at once (status 128
// + signal). The former handlers come back at the end, and the flag is cleared. At most one object at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Whether work should finish its step, save and end. Thread-safe; also true after request().
  static bool requested() noexcept;
  // Whether an object lives, so that somebody looks at the flag. Thread-safe.
  static bool listening() noexcept;
  // Sets the flag as a signal would.
  static void request() noexcept;
};

// Writing to a closed pipe then fails with EPIPE instead of killing the process in the middle of its work.
void ignore_broken_pipes() noexcept;

}  // namespace smallmind
