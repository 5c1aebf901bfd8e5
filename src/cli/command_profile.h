// --profile FILE on any command: records it, and shows the hot paths on standard error at its end.
//
// Ctrl-C and SIGTERM end the recording properly, too. A command that listens itself (StopSignals) is told and
// ends as it always does; any other is ended, once the file is whole. The second signal ends the program at
// once.
#pragma once

#include <memory>
#include <string>

namespace smallmind {

// Nothing happens before start(). One at a time.
class CommandProfile {
 public:
  CommandProfile();
  ~CommandProfile();
  CommandProfile(const CommandProfile&) = delete;
  CommandProfile& operator=(const CommandProfile&) = delete;

  // Records to `path` from now on; threads: those that the command may use. To be called before the command
  // makes threads: they inherit which signals are blocked. Throws as Recorder does.
  void start(const std::string& path, const std::string& command, int threads, bool quiet);

  // Completes the file and shows the hot paths. Does nothing the second time, or without start().
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace smallmind
