// The GGUF parser: header, pairs, tensor table, then the ranges; each read is bounded by ByteReader.
#include "io/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "io/ggml_types.h"
#include "io/utf8_check.h"

namespace smallmind {
namespace {

constexpr std::size_t kMaxPairs = 65'536;
constexpr std::size_t kMaxTensors = 262'144;
constexpr std::size_t kMaxName = 65'535;
constexpr std::uint64_t kMaxDimension = std::uint64_t{1} << 42;
constexpr std::size_t kLeastPair = 8 + 1 + 4 + 1;  // key length, key, type, value
constexpr std::size_t kLeastTensor =
    8 + 0 + 4 + 8 + 4 + 8;  // name length, dimensions, one size, type, offset

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

std::string read_text(ByteReader& in, std::string_view what) {
  const auto length = in.read<std::uint64_t>(what);
  return std::string(in.read_string(length, what));
}

std::string read_name(ByteReader& in, std::string_view what) {
  std::string name = read_text(in, what);
  if (name.empty() || name.size() > kMaxName)
    in.fail(fmt::format("a {} of 1 to {} bytes expected, {} found", what, kMaxName, name.size()));
  if (!is_utf8(name) || name.find('\0') != std::string::npos)
    in.fail(fmt::format("a {} of UTF-8 without NUL expected", what));
  return name;
}

bool read_boolean(ByteReader& in) {
  const auto value = in.read<std::uint8_t>("boolean");
  if (value > 1) in.fail(fmt::format("a boolean of 0 or 1 expected, {} found", value));
  return value == 1;
}

GgufArray read_array(ByteReader& in) {
  GgufArray array;
  array.type = static_cast<GgufType>(in.read<std::uint32_t>("array type"));
  const std::size_t scalar = gguf_scalar_size(array.type);
  if (scalar == 0 && array.type != GgufType::string) {
    in.fail(fmt::format("an array of numbers or strings expected, type {} found",
                        static_cast<std::uint32_t>(array.type)));
  }
  const auto count = in.read_count<std::uint64_t>(scalar == 0 ? 8 : scalar, "array elements");
  if (scalar == 0) {
    array.strings.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) array.strings.push_back(read_text(in, "array string"));
    return array;
  }
  const auto bytes = in.read_bytes(count * scalar, "array elements");
  array.scalars.assign(bytes.begin(), bytes.end());
  if (array.type == GgufType::boolean &&
      std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; })) {
    in.fail("booleans of 0 or 1 expected in an array");
  }
  return array;
}

GgufValue read_value(ByteReader& in) {
  const auto type = in.read<std::uint32_t>("value type");
  switch (static_cast<GgufType>(type)) {
    case GgufType::u8:
      return in.read<std::uint8_t>("value");
    case GgufType::i8:
      return in.read<std::int8_t>("value");
    case GgufType::u16:
      return in.read<std::uint16_t>("value");
    case GgufType::i16:
      return in.read<std::int16_t>("value");
    case GgufType::u32:
      return in.read<std::uint32_t>("value");
    case GgufType::i32:
      return in.read<std::int32_t>("value");
    case GgufType::f32:
      return in.read<float>("value");
    case GgufType::boolean:
      return read_boolean(in);
    case GgufType::string:
      return read_text(in, "string value");
    case GgufType::array:
      return read_array(in);
    case GgufType::u64:
      return in.read<std::uint64_t>("value");
    case GgufType::i64:
      return in.read<std::int64_t>("value");
    case GgufType::f64:
      return in.read<double>("value");
  }
  in.fail(fmt::format("a value type from 0 to 12 expected, {} found", type));
}

void read_version(ByteReader& in, GgufContent& content) {
  if (in.read_string(4, "magic") != "GGUF") in.fail("a file that starts with \"GGUF\" expected");
  content.version = in.read<std::uint32_t>("version");
  if (content.version == 2 || content.version == 3) return;
  if ((content.version & 0xffffu) == 0 && content.version != 0)
    in.fail("a little-endian file expected, a big-endian one found");
  in.fail(fmt::format("version 2 or 3 expected, {} found", content.version));
}

GgufMetadata read_pairs(ByteReader& in, std::uint64_t count) {
  GgufMetadata metadata;
  std::unordered_set<std::string> keys;
  metadata.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key = read_name(in, "key");
    if (!keys.insert(key).second) in.fail(fmt::format("each key once expected, \"{}\" found twice", key));
    GgufValue value = read_value(in);
    metadata.emplace_back(std::move(key), std::move(value));
  }
  return metadata;
}

std::uint32_t alignment_of(const GgufMetadata& metadata, const ByteReader& in) {
  const GgufValue* value = gguf_find(metadata, "general.alignment");
  if (value == nullptr) return kGgufDefaultAlignment;
  const auto* alignment = std::get_if<std::uint32_t>(value);
  if (alignment == nullptr || !std::has_single_bit(*alignment) || *alignment > kGgufMaxAlignment) {
    in.fail(fmt::format("a u32 power of two up to {} as general.alignment expected, {} {} found",
                        kGgufMaxAlignment, gguf_type_name(gguf_type(*value)), gguf_text(*value)));
  }
  return *alignment;
}

// One row of the tensor table; data is set later.
StoredTensor read_tensor(ByteReader& in, Range& range) {
  StoredTensor tensor;
  tensor.name = read_name(in, "tensor name");
  const auto dimensions = in.read<std::uint32_t>("dimensions");
  if (dimensions < 1 || dimensions > kGgmlMaxDimensions) {
    in.fail(fmt::format("one to four dimensions expected, tensor {} has {}", tensor.name, dimensions));
  }
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto n = in.read<std::uint64_t>("dimension");
    if (n < 1 || n > kMaxDimension)
      in.fail(fmt::format("dimensions from 1 to 2^42 expected, tensor {} has {}", tensor.name, n));
    elements = checked_mul(elements, n, "[gguf] elements of tensor " + tensor.name);
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(n));
  }
  const auto number = in.read<std::uint32_t>("tensor type");
  const std::optional<DType> type = dtype_of_ggml(number);
  if (!type)
    in.fail(fmt::format("a tensor of type F32, F16, BF16, I32 or I64 expected, {} is of type {}", tensor.name,
                        number));
  tensor.type = *type;
  range.bytes =
      checked_mul<std::uint64_t>(elements, dtype_size(*type), "[gguf] bytes of tensor " + tensor.name);
  range.offset = in.read<std::uint64_t>("tensor offset");
  return tensor;
}

void read_tensors(ByteReader& in, std::uint64_t count, GgufContent& content) {
  std::vector<Range> ranges(static_cast<std::size_t>(count));
  std::unordered_set<std::string> names;
  for (Range& range : ranges) {
    content.tensors.push_back(read_tensor(in, range));
    const std::string& name = content.tensors.back().name;
    if (!names.insert(name).second) in.fail(fmt::format("each tensor once expected, {} found twice", name));
  }
  if (count == 0) return;  // a vocabulary alone ends without padding
  in.align(content.alignment, "padding before the data");
  const std::size_t data_begin = in.offset();
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    StoredTensor& tensor = content.tensors[i];
    if (ranges[i].offset != expected) {
      in.fail(fmt::format("tensor {} at offset {} expected (no hole, no overlap), {} found", tensor.name,
                          expected, ranges[i].offset));
    }
    in.seek(checked_add<std::uint64_t>(data_begin, expected, "[gguf] offset"), tensor.name);
    tensor.data = in.read_bytes(ranges[i].bytes, tensor.name);
    const std::uint64_t padded =
        checked_add<std::uint64_t>(ranges[i].bytes, content.alignment - 1, "[gguf] size");
    expected =
        checked_add<std::uint64_t>(expected, padded / content.alignment * content.alignment, "[gguf] offset");
  }
}

}  // namespace

GgufContent parse_gguf(std::span<const std::byte> file, std::string_view where) {
  ByteReader in(file, "gguf", where);
  GgufContent content;
  read_version(in, content);
  const auto tensors = in.read_count<std::uint64_t>(kLeastTensor, "tensors");
  const auto pairs = in.read_count<std::uint64_t>(kLeastPair, "key-value pairs");
  if (tensors > kMaxTensors)
    in.fail(fmt::format("at most {} tensors expected, {} found", kMaxTensors, tensors));
  if (pairs > kMaxPairs)
    in.fail(fmt::format("at most {} key-value pairs expected, {} found", kMaxPairs, pairs));
  content.metadata = read_pairs(in, pairs);
  content.alignment = alignment_of(content.metadata, in);
  read_tensors(in, tensors, content);
  return content;
}

TensorSource open_gguf(const std::filesystem::path& path) {
  std::vector<MappedFile> files;
  files.emplace_back(path);
  GgufContent content = parse_gguf(files.back().bytes(), files.back().path());
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : content.metadata) texts.emplace(key, gguf_text(value));
  return TensorSource(path.string(), std::move(files), std::move(content.tensors), std::move(texts));
}

}  // namespace smallmind
