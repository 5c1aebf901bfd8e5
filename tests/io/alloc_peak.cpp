// Replaces operator new of the test program by one that remembers the largest request.
#include "tests/io/alloc_peak.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> largest_request{0};

}  // namespace

// All forms of new must be replaced together: the sanitizers match each with its delete.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  if (size > largest_request.load(std::memory_order_relaxed)) {
    largest_request.store(size, std::memory_order_relaxed);
  }
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace smallmind::test {

AllocationPeak::AllocationPeak() noexcept {
  largest_request.store(0);
}
std::size_t AllocationPeak::largest() const noexcept {
  return largest_request.load();
}

}  // namespace smallmind::test
