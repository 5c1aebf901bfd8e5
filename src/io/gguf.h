// GGUF's metadata in memory, for its reader and its writer.
//
//   | "GGUF" | u32 version 3 | u64 tensors | u64 pairs | pairs | tensor table | padding | data |
//   pair     string key, u32 type, value           string   u64 length, bytes
//   array    u32 element type, u64 count, elements
//   tensor   string name, u32 dimensions, u64 sizes (fastest first), u32 type, u64 offset in the data
// All little-endian; the data and each tensor in it start at a multiple of general.alignment (32 if absent).
// Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/dtype.h"

namespace smallmind {

inline constexpr std::uint32_t kGgufVersion = 3;
inline constexpr std::uint32_t kGgufDefaultAlignment = 32;

// The numbers of the format; also the index of the type in GgufValue.
enum class GgufType : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

// Bytes of a number or boolean; 0 for strings, arrays and unknown types.
std::size_t gguf_scalar_size(GgufType type) noexcept;
const char* gguf_type_name(GgufType type) noexcept;

// A list of numbers, booleans (as bytes) or strings; lists of lists do not exist here.
struct GgufArray {
  GgufType type = GgufType::string;
  std::vector<std::byte> scalars;    // if type is not string: as in the file
  std::vector<std::string> strings;  // if type is string

  std::size_t size() const noexcept {
    return type == GgufType::string ? strings.size() : scalars.size() / gguf_scalar_size(type);
  }
  bool operator==(const GgufArray&) const = default;
};

using GgufValue =
    std::variant<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t, std::int32_t, float,
                 bool, std::string, GgufArray, std::uint64_t, std::int64_t, double>;

// In the order of the file; keys are unique.
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

inline GgufType gguf_type(const GgufValue& value) noexcept {
  return static_cast<GgufType>(value.index());
}

// nullptr if there is no such key.
const GgufValue* gguf_find(const GgufMetadata& metadata, std::string_view key) noexcept;

// "64", "true", "some text", "[string x 512]".
std::string gguf_text(const GgufValue& value);

inline GgufArray gguf_array(std::vector<std::string> strings) {
  return {GgufType::string, {}, std::move(strings)};
}
GgufArray gguf_array(std::span<const std::int32_t> numbers);

}  // namespace smallmind
