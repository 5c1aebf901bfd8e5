// Names, sizes and texts of GGUF's metadata types.
#include "io/gguf.h"

#include <fmt/format.h>

#include <algorithm>

namespace smallmind {

std::size_t gguf_scalar_size(GgufType type) noexcept {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64:
      return 8;
    default:
      return 0;
  }
}

const char* gguf_type_name(GgufType type) noexcept {
  constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                    "bool", "string", "array", "u64", "i64", "f64"};
  const auto i = static_cast<std::size_t>(type);
  return i < std::size(kNames) ? kNames[i] : "?";
}

const GgufValue* gguf_find(const GgufMetadata& metadata, std::string_view key) noexcept {
  const auto at =
      std::find_if(metadata.begin(), metadata.end(), [key](const auto& pair) { return pair.first == key; });
  return at == metadata.end() ? nullptr : &at->second;
}

std::string gguf_text(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, GgufArray>) {
          return fmt::format("[{} x {}]", gguf_type_name(v.type), v.size());
        } else if constexpr (std::is_same_v<T, std::string>) {
          return v;
        } else {
          return fmt::format("{}", v);
        }
      },
      value);
}

GgufArray gguf_array(std::span<const std::int32_t> numbers) {
  const auto bytes = std::as_bytes(numbers);
  return {GgufType::i32, std::vector<std::byte>(bytes.begin(), bytes.end()), {}};
}

}  // namespace smallmind
