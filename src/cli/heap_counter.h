// Counts heap allocations of the program, so that a benchmark can say how many a token costs.
#pragma once

#include <cstdint>

namespace smallmind {

// False where malloc is not ours to count: under sanitizers and with C libraries other than glibc.
bool heap_is_counted() noexcept;

// malloc, calloc, realloc and aligned allocations (operator new included) of all threads since the program
// began.
std::uint64_t heap_allocations() noexcept;

}  // namespace smallmind
