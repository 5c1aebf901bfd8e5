// What a thread has taken so far: the numbers that a zone reads at its begin and its end, so that an
// allocation is counted for the thread that made it and for nobody else.
//
// heap: counted by the program's own malloc family (cli/heap_counter.cpp), so zero in a program that does not
// link it. arena: bytes handed out by the arenas of tensor/arena.h.
#pragma once

#include <cstdint>

namespace smallmind {

struct ThreadCounters {
  std::uint64_t heap_allocations = 0;
  std::uint64_t heap_bytes = 0;
  std::uint64_t arena_bytes = 0;

  friend ThreadCounters operator-(const ThreadCounters& a, const ThreadCounters& b) noexcept {
    return {a.heap_allocations - b.heap_allocations, a.heap_bytes - b.heap_bytes,
            a.arena_bytes - b.arena_bytes};
  }
};

// Of the calling thread. initial-exec: its address is an offset, where code that may go into a shared library
// would call a function for it.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local ThreadCounters thread_counters;

}  // namespace smallmind
