// A regular file as read-only memory: weights and token caches are used where they lie, and the page cache
// shares them between processes. Directories, FIFOs and devices are refused; an empty file is an empty span.
// What it cannot promise: a file that another process cuts while it is mapped kills the reader with SIGBUS.
// Writers of this project never cut files: they replace them by rename (base/atomic_file.h), and the old
// bytes stay until unmapped.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace smallmind {

enum class Access { normal, sequential, random };

class MappedFile {
 public:
  MappedFile() = default;
  // Throws Error (bad_input) with the path when the file cannot be opened, is not a regular file or cannot be
  // mapped.
  explicit MappedFile(const std::filesystem::path& path, Access access = Access::normal);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  // The file as it was when opened; valid while the object lives. Thread-safe.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::size_t size() const noexcept { return size_; }
  const std::string& path() const noexcept { return path_; }

  // Hints to the kernel for a part of the file: how it will be read; read it ahead now; its pages are not
  // needed soon.
  void advise(Access access) const noexcept;
  void read_ahead(std::size_t offset, std::size_t size) const noexcept;
  void release(std::size_t offset, std::size_t size) const noexcept;

 private:
  void hint(std::size_t offset, std::size_t size, int advice) const noexcept;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::string path_;
};

}  // namespace smallmind
