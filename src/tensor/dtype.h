// Element types of stored tensors, with the names that GGUF and safetensors give them.
//
// Arithmetic is always f32; the other types are ways to store weights and files. Block-quantised types
// are described by quant/, which extends this list.
#pragma once

#include <cstddef>
#include <cstdint>

namespace smallmind {

enum class DType : std::uint8_t { f32, f16, bf16, i32, i64, u8 };

constexpr std::size_t dtype_size(DType type) noexcept {
  switch (type) {
    case DType::f32:
      return 4;
    case DType::f16:
      return 2;
    case DType::bf16:
      return 2;
    case DType::i32:
      return 4;
    case DType::i64:
      return 8;
    case DType::u8:
      return 1;
  }
  return 0;
}

constexpr const char* dtype_name(DType type) noexcept {
  switch (type) {
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i32:
      return "I32";
    case DType::i64:
      return "I64";
    case DType::u8:
      return "U8";
  }
  return "?";
}

}  // namespace smallmind
