// Arena: bump allocation over one block, for everything whose lifetime is a scope.
//
// Three uses, one code path: a *measuring* arena has no block and only counts, which gives the exact bytes
// that a shape needs before anything runs; a real arena of that size then serves every step without touching
// the heap. Invariants: used() <= peak() <= capacity(); addresses are multiples of 64 bytes; rewind() only
// goes back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/zone.h"
#include "tensor/buffer.h"

namespace smallmind {

class Arena {
 public:
  static constexpr std::size_t kAlignment = 64;  // one cache line, one AVX-512 vector

  Arena() = default;  // measuring: allocate() returns null and counts
  explicit Arena(std::size_t capacity, MemoryCategory category = MemoryCategory::scratch)
      : block_(capacity, category), capacity_(capacity), measuring_(false) {}

  void* allocate(std::size_t bytes) {
    const std::size_t begin = used_;
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (used_ > peak_) peak_ = used_;
    if (measuring_) return nullptr;
    if constexpr (SM_ZONES) thread_counters.arena_bytes += used_ - begin;
    SM_CHECK(used_ <= capacity_, "[arena] at most {} bytes expected, {} asked for", capacity_, used_);
    return block_.data() + begin;
  }

  template <typename T>
  T* allocate_array(std::int64_t count) {
    return static_cast<T*>(allocate(static_cast<std::size_t>(count) * sizeof(T)));
  }

  void rewind(std::size_t mark) noexcept { used_ = mark; }
  std::size_t used() const noexcept { return used_; }
  std::size_t peak() const noexcept { return peak_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool measuring() const noexcept { return measuring_; }

 private:
  Buffer block_;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
  bool measuring_ = true;
};

}  // namespace smallmind
