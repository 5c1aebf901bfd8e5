// Writes safetensors files (format: safetensors_reader.h). The same tensors give the same bytes, in whatever
// order they are listed: wider types first, then by name, so that each tensor lies at a multiple of its
// element size; the header is padded with spaces to a multiple of 8 bytes.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "base/file_system.h"
#include "io/tensor_writing.h"

namespace smallmind {

// Transformers asks for {"format": "pt"} before it loads a file.
using SafetensorsMetadata = std::map<std::string, std::string>;

// Sends the file's bytes to the sink. Throws internal for two tensors of one name or one named __metadata__.
void write_safetensors(const ByteSink& sink, std::span<const TensorToWrite> tensors,
                       const SafetensorsMetadata& metadata = {{"format", "pt"}});

// The same into a file that appears under its name whole and synced, or not at all. Throws bad_input with the
// system's reason if it cannot be written.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const SafetensorsMetadata& metadata = {{"format", "pt"}},
                       const FileSystem& fs = posix_file_system());

}  // namespace smallmind
