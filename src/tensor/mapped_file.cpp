// mmap with RAII; see mapped_file.h.
#include "tensor/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace smallmind {
namespace {

class Descriptor {
 public:
  // O_NONBLOCK: opening a FIFO without a writer must not wait; it means nothing for regular files.
  explicit Descriptor(const char* path) : number(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int number;
};

int advice_of(Access access) {
  return access == Access::sequential ? MADV_SEQUENTIAL
         : access == Access::random   ? MADV_RANDOM
                                      : MADV_NORMAL;
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, Access access) : path_(path.string()) {
  const auto fail_errno = [&](const char* what) {
    fail_input("[file] {} expected, {} ({})", what, std::generic_category().message(errno), path_);
  };
  const Descriptor file(path_.c_str());
  if (file.number < 0) fail_errno("a readable file");
  struct stat status {};
  if (fstat(file.number, &status) != 0) fail_errno("a file with a status");
  if (!S_ISREG(status.st_mode))
    fail_input("[file] a regular file expected, {} found ({})",
               S_ISDIR(status.st_mode) ? "a directory" : "a device or pipe", path_);
  if (status.st_size == 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.number, 0);
  if (address == MAP_FAILED) fail_errno("a file that can be mapped");
  data_ = static_cast<const std::byte*>(address);
  size_ = size;
  advise(access);
}

MappedFile::~MappedFile() {
  if (size_ != 0) munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  MappedFile moved(std::move(other));
  std::swap(data_, moved.data_);
  std::swap(size_, moved.size_);
  std::swap(path_, moved.path_);
  return *this;
}

void MappedFile::advise(Access access) const noexcept {
  hint(0, size_, advice_of(access));
}

void MappedFile::read_ahead(std::size_t offset, std::size_t size) const noexcept {
  hint(offset, size, MADV_WILLNEED);
}

void MappedFile::release(std::size_t offset, std::size_t size) const noexcept {
  hint(offset, size, MADV_DONTNEED);
}

// madvise wants a page-aligned begin; a hint that the kernel refuses changes nothing.
void MappedFile::hint(std::size_t offset, std::size_t size, int advice) const noexcept {
  if (offset >= size_) return;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t begin = offset / page * page;
  const std::size_t end = offset + std::min(size, size_ - offset);
  madvise(const_cast<std::byte*>(data_) + begin, end - begin, advice);
}

}  // namespace smallmind
