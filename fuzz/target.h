// What a fuzz target may do: accept the bytes or throw bad_input. All else (another error, a crash, a hang)
// is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/error.h"

// libFuzzer's entry point; replay.cpp calls it as well.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace smallmind::fuzz {

// Runs body on the bytes; aborts on an error that is not bad_input.
template <typename Body>
int run(const std::uint8_t* data, std::size_t size, Body body) {
  try {
    body(std::as_bytes(std::span(data, size)));
  } catch (const Error& e) {
    if (e.code() != ErrorCode::bad_input) std::abort();
  }
  return 0;
}

inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace smallmind::fuzz
