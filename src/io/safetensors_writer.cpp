// The header is built first, since it says where everything lies; then the tensors stream behind it.
#include "io/safetensors_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "io/safetensors_reader.h"

namespace smallmind {
namespace {

std::vector<const TensorToWrite*> file_order(std::span<const TensorToWrite> tensors) {
  std::vector<const TensorToWrite*> order;
  for (const TensorToWrite& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorToWrite* a, const TensorToWrite* b) {
    const std::size_t a_width = dtype_size(a->type);
    const std::size_t b_width = dtype_size(b->type);
    return a_width != b_width ? a_width > b_width : a->name < b->name;
  });
  return order;
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump();
}

std::string header_of(const std::vector<const TensorToWrite*>& order, const SafetensorsMetadata& metadata) {
  std::string text = "{";
  if (!metadata.empty()) text += "\"__metadata__\":" + nlohmann::json(metadata).dump();
  std::set<std::string_view> names{"__metadata__"};
  std::uint64_t offset = 0;
  for (const TensorToWrite* tensor : order) {
    SM_CHECK(names.insert(tensor->name).second, "[safetensors] each name once expected, {} given twice",
             tensor->name);
    const std::uint64_t end = offset + tensor->bytes();
    if (text.size() > 1) text += ',';
    text += fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", quoted(tensor->name),
                        dtype_name(tensor->type), fmt::join(tensor->shape, ","), offset, end);
    offset = end;
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  SM_CHECK(text.size() <= kMaxSafetensorsHeader,
           "[safetensors] a header of at most {} bytes expected, {} needed", kMaxSafetensorsHeader,
           text.size());
  return text;
}

}  // namespace

void write_safetensors(const ByteSink& sink, std::span<const TensorToWrite> tensors,
                       const SafetensorsMetadata& metadata) {
  const std::vector<const TensorToWrite*> order = file_order(tensors);
  const std::string header = header_of(order, metadata);
  const std::uint64_t length = header.size();
  sink(std::as_bytes(std::span(&length, 1)));
  sink(std::as_bytes(std::span(header)));
  for (const TensorToWrite* tensor : order) write_values(*tensor, sink);
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const SafetensorsMetadata& metadata, const FileSystem& fs) {
  std::int64_t expected = 0;
  for (const TensorToWrite& tensor : tensors) expected += static_cast<std::int64_t>(tensor.bytes());
  AtomicFile file(path, fs, expected);
  write_safetensors([&file](std::span<const std::byte> bytes) { file.append(bytes); }, tensors, metadata);
  file.commit();
}

}  // namespace smallmind
