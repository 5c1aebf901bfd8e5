// What the writers of model files take: named tensors whose f32 values are asked for in pieces.
//
// A file larger than memory can be written: nothing but one piece of 16,384 values is ever held. The values
// may come from memory, or be computed on the way (a transposed or permuted weight).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace smallmind {

// Fills out with the values [first, first + out.size()) of the row-major tensor.
using FillValues = std::function<void(std::int64_t first, std::span<float> out)>;

// Takes the next bytes of a file; throws if they cannot be written.
using ByteSink = std::function<void(std::span<const std::byte>)>;

struct TensorToWrite {
  std::string name;
  DType type = DType::f32;          // as stored: f32, f16 or bf16 (rounded to nearest, ties to even)
  std::vector<std::int64_t> shape;  // slowest dimension first; [] is a scalar
  FillValues fill;

  std::int64_t elements() const noexcept;
  std::uint64_t bytes() const noexcept;
};

// Values that lie in memory, which must outlive the writing. Throws internal unless values fits the shape.
TensorToWrite tensor_in_memory(std::string name, DType type, std::vector<std::int64_t> shape,
                               std::span<const float> values);

// The transposed of an (rows, columns) matrix in memory, as a (columns, rows) tensor: Hugging Face's gpt2
// keeps its weights as (in, out).
TensorToWrite transposed_in_memory(std::string name, DType type, std::int64_t rows, std::int64_t columns,
                                   std::span<const float> values);

// Sends the tensor's bytes, converted to its type, to the sink. Throws internal for a type that is not a
// float.
void write_values(const TensorToWrite& tensor, const ByteSink& sink);

}  // namespace smallmind
