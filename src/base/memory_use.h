// Bytes that the program holds now, by what they are for. Large blocks only (tensor/buffer.h counts its own);
// what malloc gives is in thread_counters.h. A profiler samples them over time.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace smallmind {

enum class MemoryCategory : std::uint8_t {
  weights,
  kv_cache,
  activations,
  gradients,
  moments,
  scratch,
  other
};
inline constexpr std::size_t kMemoryCategories = 7;

constexpr const char* memory_category_name(MemoryCategory category) noexcept {
  constexpr std::array<const char*, kMemoryCategories> kNames = {
      "weights", "KV cache", "activations", "gradients", "moments", "scratch", "other"};
  return kNames[static_cast<std::size_t>(category)];
}

// Of the whole process; read and changed by any thread.
inline constinit std::array<std::atomic<std::int64_t>, kMemoryCategories> memory_in_use{};

inline void count_memory(MemoryCategory category, std::int64_t bytes) noexcept {
  memory_in_use[static_cast<std::size_t>(category)].fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace smallmind
