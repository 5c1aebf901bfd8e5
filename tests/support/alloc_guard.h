// Counts heap allocations of the whole test program: malloc's family and operator new, on all threads. The
// counting is the program's own (cli/heap_counter.cpp), which such a test program links.
#pragma once

#include "cli/heap_counter.h"

namespace smallmind {

// Allocations since this object was made.
class AllocGuard {
 public:
  AllocGuard() noexcept : begin_(heap_allocations()) {}
  std::uint64_t count() const noexcept { return heap_allocations() - begin_; }

 private:
  std::uint64_t begin_;
};

}  // namespace smallmind
