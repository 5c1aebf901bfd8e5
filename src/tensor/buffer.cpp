// Buffer on anonymous mmap; see buffer.h.
#include "tensor/buffer.h"

#include <sys/mman.h>

#include "base/error.h"

namespace smallmind {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

Buffer::Buffer(std::size_t bytes, MemoryCategory category) : bytes_(bytes), category_(category) {
  if (bytes == 0) return;
  // Whole huge pages, so that the kernel may back the tail with one as well.
  if (bytes >= kHugePage) bytes_ = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    fail_input("[memory] {} bytes expected to be available, the system refused them", bytes_);
  if (bytes_ >= kHugePage) ::madvise(memory, bytes_, MADV_HUGEPAGE);  // a wish: failing costs speed only
  data_ = static_cast<std::byte*>(memory);
  count_memory(category_, static_cast<std::int64_t>(bytes_));
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  ::munmap(data_, bytes_);
  count_memory(category_, -static_cast<std::int64_t>(bytes_));
}

}  // namespace smallmind
