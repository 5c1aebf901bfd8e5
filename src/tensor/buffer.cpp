// Buffer on anonymous mmap; see buffer.h.
#include "tensor/buffer.h"

#include <sys/mman.h>

#include <cstdint>

#include "base/error.h"

namespace smallmind {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

void* map(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    fail_input("[memory] {} bytes expected to be available, the system refused them", bytes);
  return memory;
}

// Only what begins on a multiple of 2 MiB can be a huge page, and the system promises a multiple of 4 KiB:
// what lies outside is mapped and given back. Without this a buffer of 2 MiB has often no huge page at all,
// its lines then lie in sets of L2 by chance, and products differ by several percent from process to process.
void* map_aligned(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(map(bytes + kHugePage));
  const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(memory) % kHugePage) % kHugePage;
  if (before != 0) ::munmap(memory, before);
  ::munmap(memory + before + bytes, kHugePage - before);
  ::madvise(memory + before, bytes, MADV_HUGEPAGE);  // a wish: failing costs speed only
  return memory + before;
}

}  // namespace

Buffer::Buffer(std::size_t bytes, MemoryCategory category) : bytes_(bytes), category_(category) {
  if (bytes == 0) return;
  const bool huge = bytes >= kHugePage;
  // Whole huge pages, so that the tail may be one as well.
  if (huge) bytes_ = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  data_ = static_cast<std::byte*>(huge ? map_aligned(bytes_) : map(bytes_));
  count_memory(category_, static_cast<std::int64_t>(bytes_));
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  ::munmap(data_, bytes_);
  count_memory(category_, -static_cast<std::int64_t>(bytes_));
}

}  // namespace smallmind
