// Reads safetensors files and sharded directories of them; any byte may be hostile.
//
//   | u64 LE: N | N bytes of JSON: {"name": {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__":
//   {...}} | data |
//
// Accepted is exactly what the format promises: N <= 100,000,000; the header starts with '{' and ends with
// '}' and spaces; each key once; known fields only; ranges that cover the data without hole or overlap; sizes
// that fit shape and type. A file that is at the same time a zip archive, and pickles (.bin, .pt), are
// refused: a pickle runs code while it loads. Sharded: model.safetensors.index.json maps each tensor to a
// file beside it. Specification: https://github.com/huggingface/safetensors
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/tensor_source.h"

namespace smallmind {

inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;
inline constexpr std::size_t kMaxStoredTensors = 262'144;

struct SafetensorsContent {
  std::vector<StoredTensor> tensors;  // by position in the file; data points into the parsed bytes
  std::map<std::string, std::string> metadata;
};

// Parses a whole file in memory. where: its name for error texts. Throws bad_input.
SafetensorsContent parse_safetensors(std::span<const std::byte> file, std::string_view where);

// Opens a .safetensors file, a model.safetensors.index.json, or a directory that has either (the index
// first). Throws bad_input.
TensorSource open_safetensors(const std::filesystem::path& path);

}  // namespace smallmind
