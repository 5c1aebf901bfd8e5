// The part before the data is built in memory (its size decides where the data begins); tensors stream behind
// it.
#include "io/gguf_writer.h"

#include <bit>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "io/ggml_types.h"

namespace smallmind {
namespace {

class Bytes {
 public:
  template <typename T>
  void number(T value) {
    static_assert(std::is_arithmetic_v<T>);
    const auto bytes = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void raw(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void text(std::string_view text) {
    number(static_cast<std::uint64_t>(text.size()));
    raw(std::as_bytes(std::span(text)));
  }
  void pad_to(std::size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
  }
  std::span<const std::byte> view() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

void put_value(Bytes& out, const GgufValue& value) {
  std::visit(
      [&out](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, GgufArray>) {
          out.number(static_cast<std::uint32_t>(v.type));
          out.number(static_cast<std::uint64_t>(v.size()));
          if (v.type != GgufType::string) out.raw(v.scalars);
          for (const std::string& text : v.strings) out.text(text);
        } else if constexpr (std::is_same_v<T, std::string>) {
          out.text(v);
        } else if constexpr (std::is_same_v<T, bool>) {
          out.number(static_cast<std::uint8_t>(v));
        } else {
          out.number(v);
        }
      },
      value);
}

std::size_t alignment_of(const GgufMetadata& metadata) {
  const GgufValue* value = gguf_find(metadata, "general.alignment");
  if (value == nullptr) return kGgufDefaultAlignment;
  SM_CHECK(std::holds_alternative<std::uint32_t>(*value),
           "[gguf] general.alignment of type u32 expected, {} given", gguf_type_name(gguf_type(*value)));
  const std::uint32_t alignment = std::get<std::uint32_t>(*value);
  SM_CHECK(std::has_single_bit(alignment) && alignment <= kGgufMaxAlignment,
           "[gguf] a power of two up to {} as general.alignment expected, {} given", kGgufMaxAlignment,
           alignment);
  return alignment;
}

void put_pairs(Bytes& out, const GgufMetadata& metadata) {
  std::set<std::string_view> keys;
  for (const auto& [key, value] : metadata) {
    SM_CHECK(!key.empty() && keys.insert(key).second, "[gguf] each key once expected, \"{}\" given twice",
             key);
    out.text(key);
    out.number(static_cast<std::uint32_t>(gguf_type(value)));
    put_value(out, value);
  }
}

void put_tensor_table(Bytes& out, std::span<const TensorToWrite> tensors, std::size_t alignment) {
  std::set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    SM_CHECK(names.insert(tensor.name).second, "[gguf] each tensor once expected, {} given twice",
             tensor.name);
    SM_CHECK(!tensor.shape.empty() && tensor.shape.size() <= kGgmlMaxDimensions && tensor.elements() > 0,
             "[gguf] one to four dimensions above zero expected, tensor {} has {}", tensor.name,
             tensor.shape.size());
    out.text(tensor.name);
    out.number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t i = tensor.shape.size(); i-- > 0;)
      out.number(static_cast<std::uint64_t>(tensor.shape[i]));
    out.number(ggml_type_of(tensor.type));
    out.number(offset);
    offset += (tensor.bytes() + alignment - 1) / alignment * alignment;
  }
}

}  // namespace

void write_gguf(const ByteSink& sink, const GgufMetadata& metadata, std::span<const TensorToWrite> tensors) {
  const std::size_t alignment = alignment_of(metadata);
  Bytes head;
  head.raw(std::as_bytes(std::span("GGUF", 4)));
  head.number(kGgufVersion);
  head.number(static_cast<std::uint64_t>(tensors.size()));
  head.number(static_cast<std::uint64_t>(metadata.size()));
  put_pairs(head, metadata);
  put_tensor_table(head, tensors, alignment);
  head.pad_to(alignment);
  sink(head.view());
  const std::vector<std::byte> zeros(alignment);
  for (const TensorToWrite& tensor : tensors) {
    write_values(tensor, sink);
    const std::size_t past = static_cast<std::size_t>(tensor.bytes() % alignment);
    if (past != 0) sink(std::span(zeros).first(alignment - past));
  }
}

void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                std::span<const TensorToWrite> tensors) {
  AtomicFile file(path);
  write_gguf([&file](std::span<const std::byte> bytes) { file.append(bytes); }, metadata, tensors);
  file.commit();
}

}  // namespace smallmind
