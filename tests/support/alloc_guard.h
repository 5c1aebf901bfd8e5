// Counts heap allocations of the whole test program: malloc's family and operator new, on all threads.
#pragma once

#include <cstdint>

namespace smallmind {

// False where a sanitizer owns malloc: nothing is counted then.
bool allocations_are_counted() noexcept;

// Allocations since the program began.
std::uint64_t allocation_count() noexcept;

// Allocations since this object was made.
class AllocGuard {
 public:
  AllocGuard() noexcept : begin_(allocation_count()) {}
  std::uint64_t count() const noexcept { return allocation_count() - begin_; }

 private:
  std::uint64_t begin_;
};

}  // namespace smallmind
