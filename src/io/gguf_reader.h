// Reads GGUF versions 2 and 3 (format: gguf.h); any byte may be hostile.
//
// Refused before anything is allocated: counts that cannot fit the bytes left, nested arrays, keys that are
// empty, longer than 65,535 bytes, not UTF-8 or repeated, booleans other than 0 and 1, alignments that are
// not a power of two up to 1 MiB, tensors with gaps, overlaps or an end beyond the file. Block-quantised
// tensors are refused by type number: the quant layer describes them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "io/gguf.h"
#include "io/model_config.h"
#include "io/tensor_source.h"

namespace smallmind {

struct GgufContent {
  std::uint32_t version = kGgufVersion;
  std::uint32_t alignment = kGgufDefaultAlignment;
  GgufMetadata metadata;
  std::vector<StoredTensor> tensors;  // shapes turned row-major; data points into the parsed bytes
};

// Parses a whole file in memory. where: its name for error texts. Throws bad_input.
GgufContent parse_gguf(std::span<const std::byte> file, std::string_view where);

// Opens a .gguf file; the metadata become texts (gguf_text). Throws bad_input.
TensorSource open_gguf(const std::filesystem::path& path);

// The hyper-parameters of a gpt2 or llama file. Throws bad_input, naming the key that is missing or wrong.
ModelConfig gguf_config(const GgufContent& content, std::string_view where);

}  // namespace smallmind
