// How the library throws: formatted errors, and contracts that throw.
//
// Text convention: "[where] expectation, fact", with file, tensor and byte offset where they exist:
//   "[safetensors] header of at most 100000000 bytes expected, 18446744073709551615 found (model.safetensors,
//   byte 0)".
// The library never aborts, exits or prints; main() turns the code into an exit status.
#pragma once

#include <fmt/core.h>

#include <string>

#include "smallmind/error.h"

namespace smallmind {

template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::usage, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void fail_input(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::bad_input, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace smallmind

// A contract inside the library: what fails here is a bug of ours or of the calling program.
#define SM_CHECK(condition, ...)                                        \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::smallmind::fail(::smallmind::ErrorCode::internal, __VA_ARGS__); \
  } while (false)
