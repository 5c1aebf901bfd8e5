// Replaces operator new of the test program by one that remembers the largest request.
#include "tests/io/alloc_peak.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> largest_request{0};

}  // namespace

void* operator new(std::size_t size) {
  if (size > largest_request.load(std::memory_order_relaxed))
    largest_request.store(size, std::memory_order_relaxed);
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
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
