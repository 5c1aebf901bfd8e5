// The one exception type of SmallMind.
#pragma once

#include <stdexcept>
#include <string>

namespace smallmind {

// The numbers are the exit statuses of the program.
enum class ErrorCode {
  usage = 1,      // the caller asked for something that has no meaning
  bad_input = 2,  // a file, a model, a text or the environment is not as it must be
  internal = 3,   // a bug of SmallMind
  diverged = 4,   // training produced NaN or infinity and could not go on
};

// what() is one line: "[where] expectation, fact", with file, tensor and byte offset where they exist. The
// library never aborts, exits or prints.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& text) : std::runtime_error(text), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace smallmind
