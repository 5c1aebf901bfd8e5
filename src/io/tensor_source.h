// What a loader sees of a model file: a list of named tensors over mapped bytes, and text metadata.
//
// A safetensors file, a sharded safetensors directory and a GGUF file all become a TensorSource. The bytes
// stay in the mapped files that the source owns, so every StoredTensor is valid as long as its source lives,
// also after the source was moved. Shapes are row-major, slowest dimension first (GGUF's reversed order is
// turned round by its reader). Tensor data may lie at any address: read it through read_f32 or memcpy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/mapped_file.h"

namespace smallmind {

struct StoredTensor {
  std::string name;
  DType type = DType::f32;
  std::vector<std::int64_t> shape;  // [] is a scalar
  std::span<const std::byte> data;  // exactly elements() * dtype_size(type) bytes

  // Product of the shape; readers have checked that it does not overflow.
  std::int64_t elements() const noexcept;
};

// "(768, 2304)"; "()" for a scalar.
std::string shape_text(std::span<const std::int64_t> shape);

// Converts an f32, f16 or bf16 tensor to f32. Throws bad_input for other types, internal unless out has
// elements() floats.
void read_f32(const StoredTensor& tensor, std::span<float> out);

class TensorSource {
 public:
  // where: the path for error texts. Throws bad_input if two tensors have one name.
  TensorSource(std::string where, std::vector<MappedFile> files, std::vector<StoredTensor> tensors,
               std::map<std::string, std::string> metadata);
  TensorSource(TensorSource&&) noexcept = default;
  TensorSource& operator=(TensorSource&&) noexcept = default;

  // In the order of the file.
  std::span<const StoredTensor> tensors() const noexcept { return tensors_; }
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  const std::string& where() const noexcept { return where_; }

  // nullptr if there is no tensor of that name.
  const StoredTensor* find(std::string_view name) const noexcept;
  // Throws bad_input, naming file and tensor, if there is none.
  const StoredTensor& at(std::string_view name) const;

 private:
  std::string where_;
  std::vector<MappedFile> files_;
  std::vector<StoredTensor> tensors_;
  std::vector<std::uint32_t> by_name_;  // positions in tensors_, sorted by name
  std::map<std::string, std::string> metadata_;
};

}  // namespace smallmind
