// Any bytes as a GGUF file; what is accepted must be consistent, and the same after it was written again.
#include <vector>

#include "fuzz/target.h"
#include "io/gguf_reader.h"
#include "io/gguf_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smallmind;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const GgufContent content = parse_gguf(bytes, "fuzz");
    for (const StoredTensor& tensor : content.tensors) {
      fuzz::require(tensor.data.size() ==
                    static_cast<std::size_t>(tensor.elements()) * dtype_size(tensor.type));
    }
    std::vector<std::byte> again;
    write_gguf(
        [&again](std::span<const std::byte> piece) { again.insert(again.end(), piece.begin(), piece.end()); },
        content.metadata, {});
    fuzz::require(parse_gguf(again, "again").metadata.size() == content.metadata.size());
    gguf_config(content, "fuzz").validate();
  });
}
