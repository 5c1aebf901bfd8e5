// Writes GGUF version 3 (format: gguf.h). The metadata and the tensors keep the order in which they are
// given.
#pragma once

#include <filesystem>
#include <span>

#include "io/gguf.h"
#include "io/tensor_writing.h"

namespace smallmind {

// Sends the file's bytes to the sink. Shapes are row-major, (out, in); GGUF's reversed order is made here.
// Throws internal for what the format cannot hold: a key or name twice, no or more than four dimensions, a
// dimension of zero, a wrong general.alignment.
void write_gguf(const ByteSink& sink, const GgufMetadata& metadata, std::span<const TensorToWrite> tensors);

// The same into a file that appears under its name whole and synced, or not at all.
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                std::span<const TensorToWrite> tensors);

}  // namespace smallmind
