// Lookup by name and conversion to f32.
#include "io/tensor_source.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "tensor/half.h"

namespace smallmind {
namespace {

template <typename Convert>
void convert_halves(const StoredTensor& tensor, std::span<float> out, Convert convert) {
  const std::byte* from = tensor.data.data();
  for (float& value : out) {
    std::uint16_t bits;
    std::memcpy(&bits, from, sizeof bits);
    value = convert(bits);
    from += sizeof bits;
  }
}

}  // namespace

std::int64_t StoredTensor::elements() const noexcept {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + ")";
}

void read_f32(const StoredTensor& tensor, std::span<float> out) {
  SM_CHECK(static_cast<std::int64_t>(out.size()) == tensor.elements(),
           "[read_f32] {} floats expected for {}, {} found", tensor.elements(), tensor.name, out.size());
  SM_CHECK(tensor.data.size() == out.size() * dtype_size(tensor.type), "[read_f32] {} has {} bytes",
           tensor.name, tensor.data.size());
  if (out.empty()) return;
  switch (tensor.type) {
    case DType::f32:
      std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
      return;
    case DType::f16:
      convert_halves(tensor, out, f16_to_f32);
      return;
    case DType::bf16:
      convert_halves(tensor, out, bf16_to_f32);
      return;
    default:
      fail_input("[read_f32] F32, F16 or BF16 expected, tensor {} is {}", tensor.name,
                 dtype_name(tensor.type));
  }
}

TensorSource::TensorSource(std::string where, std::vector<MappedFile> files,
                           std::vector<StoredTensor> tensors, std::map<std::string, std::string> metadata)
    : where_(std::move(where)),
      files_(std::move(files)),
      tensors_(std::move(tensors)),
      by_name_(tensors_.size()),
      metadata_(std::move(metadata)) {
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  std::sort(by_name_.begin(), by_name_.end(),
            [this](std::uint32_t a, std::uint32_t b) { return tensors_[a].name < tensors_[b].name; });
  const auto twin = std::adjacent_find(
      by_name_.begin(), by_name_.end(),
      [this](std::uint32_t a, std::uint32_t b) { return tensors_[a].name == tensors_[b].name; });
  if (twin != by_name_.end()) {
    fail_input("[tensor source] each tensor once expected, {} found twice ({})", tensors_[*twin].name,
               where_);
  }
}

const StoredTensor* TensorSource::find(std::string_view name) const noexcept {
  const auto at =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [this](std::uint32_t i, std::string_view key) { return tensors_[i].name < key; });
  return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

const StoredTensor& TensorSource::at(std::string_view name) const {
  const StoredTensor* tensor = find(name);
  if (tensor == nullptr) fail_input("[tensor source] a tensor {} expected, none found ({})", name, where_);
  return *tensor;
}

}  // namespace smallmind
