// Any bytes as a safetensors file; what is accepted must be consistent with itself.
#include "fuzz/target.h"
#include "io/safetensors_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smallmind;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    SafetensorsContent content = parse_safetensors(bytes, "fuzz");
    for (const StoredTensor& tensor : content.tensors) {
      fuzz::require(tensor.data.size() ==
                    static_cast<std::size_t>(tensor.elements()) * dtype_size(tensor.type));
      fuzz::require(tensor.data.empty() ||
                    (tensor.data.data() >= bytes.data() &&
                     tensor.data.data() + tensor.data.size() <= bytes.data() + bytes.size()));
    }
    const TensorSource source("fuzz", {}, content.tensors, content.metadata);
    for (const StoredTensor& tensor : content.tensors) fuzz::require(source.find(tensor.name) != nullptr);
  });
}
