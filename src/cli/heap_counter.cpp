// The program's own malloc family: counts for the calling thread (base/thread_counters.h) and for all, and
// passes on to glibc. C++'s operator new calls malloc, so it counts, too. Test programs that count link this
// file as well; a library must not replace its host's malloc.
#include "cli/heap_counter.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

#include "base/thread_counters.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SM_COUNT_HEAP 1
#else
#define SM_COUNT_HEAP 0
#endif

namespace smallmind {
namespace {

constinit std::atomic<std::uint64_t> allocations{0};

#if SM_COUNT_HEAP
void count(std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  ++thread_counters.heap_allocations;
  thread_counters.heap_bytes += bytes;
}
#endif

}  // namespace

bool heap_is_counted() noexcept {
  return SM_COUNT_HEAP != 0;
}

std::uint64_t heap_allocations() noexcept {
  return allocations.load(std::memory_order_relaxed);
}

}  // namespace smallmind

#if SM_COUNT_HEAP

extern "C" {

// NOLINTBEGIN(readability-identifier-naming): the names are glibc's
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
// NOLINTEND(readability-identifier-naming)

void* malloc(std::size_t bytes) noexcept {
  smallmind::count(bytes);
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) noexcept {
  smallmind::count(count * bytes);
  return __libc_calloc(count, bytes);
}

void* realloc(void* old, std::size_t bytes) noexcept {
  smallmind::count(bytes);
  return __libc_realloc(old, bytes);
}

void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  smallmind::count(bytes);
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  return memalign(alignment, bytes);
}

int posix_memalign(void** to, std::size_t alignment, std::size_t bytes) noexcept {
  *to = memalign(alignment, bytes);
  return *to == nullptr ? ENOMEM : 0;
}

void free(void* memory) noexcept {
  __libc_free(memory);
}

}  // extern "C"

#endif
