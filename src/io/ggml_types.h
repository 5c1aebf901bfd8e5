// The numbers that GGUF's tensor table uses for element types, and ggml's limits on shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "tensor/dtype.h"

namespace smallmind {

inline constexpr std::uint32_t kGgufMaxAlignment = 1u << 20;
inline constexpr std::size_t kGgmlMaxDimensions = 4;

constexpr std::uint32_t ggml_type_of(DType type) noexcept {
  switch (type) {
    case DType::f32:
      return 0;
    case DType::f16:
      return 1;
    case DType::bf16:
      return 30;
    case DType::i32:
      return 26;
    case DType::i64:
      return 27;
    case DType::u8:
      return 24;  // ggml has signed bytes only; the bits are the same
  }
  return 0;
}

constexpr std::optional<DType> dtype_of_ggml(std::uint32_t type) noexcept {
  for (const DType candidate : {DType::f32, DType::f16, DType::bf16, DType::i32, DType::i64}) {
    if (ggml_type_of(candidate) == type) return candidate;
  }
  return std::nullopt;
}

}  // namespace smallmind
