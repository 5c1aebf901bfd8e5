// Streams f32 values into a file, converted piece by piece.
#include "io/tensor_writing.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "tensor/half.h"

namespace smallmind {
namespace {

constexpr std::int64_t kPiece = 16384;  // 64 KiB of f32: inside L2, and large enough for one write call each

}  // namespace

std::int64_t TensorToWrite::elements() const noexcept {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::uint64_t TensorToWrite::bytes() const noexcept {
  return static_cast<std::uint64_t>(elements()) * dtype_size(type);
}

TensorToWrite tensor_in_memory(std::string name, DType type, std::vector<std::int64_t> shape,
                               std::span<const float> values) {
  TensorToWrite tensor{std::move(name), type, std::move(shape), nullptr};
  SM_CHECK(tensor.elements() == static_cast<std::int64_t>(values.size()),
           "[write] {} values expected for {}, {} found", tensor.elements(), tensor.name, values.size());
  tensor.fill = [values](std::int64_t first, std::span<float> out) {
    std::copy_n(values.begin() + first, out.size(), out.begin());
  };
  return tensor;
}

TensorToWrite transposed_in_memory(std::string name, DType type, std::int64_t rows, std::int64_t columns,
                                   std::span<const float> values) {
  SM_CHECK(rows * columns == static_cast<std::int64_t>(values.size()),
           "[write] {} values expected for {}, {} found", rows * columns, name, values.size());
  TensorToWrite tensor{std::move(name), type, {columns, rows}, nullptr};
  tensor.fill = [values, rows, columns](std::int64_t first, std::span<float> out) {
    std::int64_t column = first / rows;
    std::int64_t row = first % rows;
    for (float& value : out) {
      value = values[static_cast<std::size_t>(row * columns + column)];
      if (++row == rows) {
        row = 0;
        ++column;
      }
    }
  };
  return tensor;
}

void write_values(const TensorToWrite& tensor, const ByteSink& sink) {
  const bool half = tensor.type == DType::f16 || tensor.type == DType::bf16;
  SM_CHECK(half || tensor.type == DType::f32, "[write] F32, F16 or BF16 expected for {}, {} found",
           tensor.name, dtype_name(tensor.type));
  const std::int64_t total = tensor.elements();
  std::vector<float> values(static_cast<std::size_t>(std::min(total, kPiece)));
  std::vector<std::uint16_t> halves(half ? values.size() : 0);
  for (std::int64_t first = 0; first < total; first += kPiece) {
    const std::span<float> piece(values.data(), static_cast<std::size_t>(std::min(kPiece, total - first)));
    tensor.fill(first, piece);
    if (half) {
      const auto convert = tensor.type == DType::f16 ? f32_to_f16 : f32_to_bf16;
      std::transform(piece.begin(), piece.end(), halves.begin(), convert);
      sink(std::as_bytes(std::span(halves).first(piece.size())));
    } else {
      sink(std::as_bytes(piece));
    }
  }
}

}  // namespace smallmind
