// Buffer: owned, 64-byte aligned, zero-filled memory from mmap, with huge pages asked for where it pays.
//
// Large weights and arenas are read by vector loads at strides of many pages; 2 MiB pages keep misses of the
// second-level TLB out of the products. From 2 MiB on a buffer begins on a multiple of that. Thread safety:
// none needed, it is a value.
#pragma once

#include <cstddef>
#include <utility>

#include "base/memory_use.h"

namespace smallmind {

class Buffer {
 public:
  Buffer() = default;
  // Counted for the category. Throws Error{bad_input} naming the bytes when memory is refused.
  explicit Buffer(std::size_t bytes, MemoryCategory category = MemoryCategory::other);
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        category_(other.category_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(category_, other.category_);
    return *this;
  }

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return bytes_; }
  template <typename T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  MemoryCategory category_ = MemoryCategory::other;
};

}  // namespace smallmind
