// The safetensors parser: first bytes, then the header as a stream of JSON events, then the ranges.
//
// The header is never made a JSON tree: the event handler knows the three levels that the format has and
// refuses the first token that does not fit, so that deep nesting or ten million keys cost neither stack nor
// memory.
#include "io/safetensors_reader.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "base/error.h"
#include "io/archive_check.h"

namespace smallmind {
namespace {

constexpr std::size_t kMaxDimensions = 64;
constexpr std::size_t kLengthBytes = 8;

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::optional<DType> dtype_of(std::string_view name) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::i32, DType::i64, DType::u8}) {
    if (name == dtype_name(type)) return type;
  }
  return std::nullopt;
}

// Receives the events of the header's JSON. Levels: 1 the header, 2 a tensor or __metadata__, 3 a list of
// numbers.
class HeaderHandler {
 public:
  explicit HeaderHandler(std::string_view where) : where_(where) {}

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("a boolean"); }
  bool number_integer(std::int64_t) { return refuse("a negative number"); }
  bool number_float(double, const std::string&) { return refuse("a fraction or a number beyond 2^64"); }
  bool binary(nlohmann::json::binary_t&) { return refuse("binary data"); }

  bool number_unsigned(std::uint64_t value) {
    if (level_ != 3) return refuse("a number");
    if (numbers_.size() == kMaxDimensions) return refuse("a list of more than 64 numbers");
    numbers_.push_back(value);
    return true;
  }

  bool string(std::string& value) {
    if (level_ != 2) return refuse("a string");
    if (in_metadata_) {
      content_.metadata.emplace(key_, std::move(value));
      return true;
    }
    if (key_ != "dtype") return refuse("a string");
    const std::optional<DType> type = dtype_of(value);
    if (!type) {
      fail_input("[safetensors] tensor {} of type F32, F16, BF16, I32, I64 or U8 expected, {} found ({})",
                 name_, value, where_);
    }
    tensor_.type = *type;
    return true;
  }

  bool start_object(std::size_t) {
    if (level_ >= 2) return refuse("an object");
    if (++level_ == 2) {
      tensor_ = StoredTensor{};
      fields_.clear();
    }
    return true;
  }

  bool key(std::string& text) {
    if (text.find('\0') != std::string::npos) return refuse("a name with a NUL character");
    if (level_ == 1) return start_tensor(text);
    key_ = text;
    if (!fields_.insert(text).second)
      fail_input("[safetensors] key \"{}\" once expected, found twice in {} ({})", text, name_, where_);
    if (!in_metadata_ && text != "dtype" && text != "shape" && text != "data_offsets") {
      fail_input("[safetensors] dtype, shape and data_offsets expected in tensor {}, \"{}\" found ({})",
                 name_, text, where_);
    }
    return true;
  }

  bool end_object() {
    if (--level_ == 1) finish_tensor();
    return true;
  }

  bool start_array(std::size_t) {
    if (level_ != 2 || in_metadata_ || key_ == "dtype") return refuse("a list");
    level_ = 3;
    numbers_.clear();
    return true;
  }

  bool end_array() {
    level_ = 2;
    if (key_ == "shape") {
      set_shape();
    } else {
      if (numbers_.size() != 2)
        fail_input("[safetensors] two data_offsets expected in tensor {}, {} found ({})", name_,
                   numbers_.size(), where_);
      range_ = {numbers_[0], numbers_[1]};
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) {
    fail_input("[safetensors] a JSON header expected, {} ({}, byte {})", error.what(), where_,
               kLengthBytes + position);
  }

  SafetensorsContent take_content() { return std::move(content_); }
  std::vector<Range> take_ranges() { return std::move(ranges_); }

 private:
  [[noreturn]] bool refuse(const char* what) const {
    fail_input("[safetensors] a header of tensors expected, {} found near \"{}\" ({})", what, name_, where_);
  }

  bool start_tensor(const std::string& name) {
    if (!names_.insert(name).second)
      fail_input("[safetensors] each name once expected, \"{}\" found twice ({})", name, where_);
    if (names_.size() > kMaxStoredTensors) {
      fail_input("[safetensors] at most {} tensors expected, more found ({})", kMaxStoredTensors, where_);
    }
    name_ = name;
    in_metadata_ = name == "__metadata__";
    return true;
  }

  void set_shape() {
    tensor_.shape.clear();
    for (const std::uint64_t n : numbers_) {
      if (n > static_cast<std::uint64_t>(INT64_MAX))
        fail_input("[safetensors] dimensions below 2^63 expected, {} found in tensor {} ({})", n, name_,
                   where_);
      tensor_.shape.push_back(static_cast<std::int64_t>(n));
    }
  }

  void finish_tensor() {
    if (in_metadata_) return;
    if (fields_.size() != 3)
      fail_input("[safetensors] dtype, shape and data_offsets expected in tensor {}, {} of them found ({})",
                 name_, fields_.size(), where_);
    tensor_.name = name_;
    content_.tensors.push_back(std::move(tensor_));
    ranges_.push_back(range_);
  }

  std::string_view where_;
  int level_ = 0;
  bool in_metadata_ = false;
  std::string name_;
  std::string key_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> fields_;
  std::vector<std::uint64_t> numbers_;
  StoredTensor tensor_;
  Range range_;
  SafetensorsContent content_;
  std::vector<Range> ranges_;
};

std::string_view header_text(std::span<const std::byte> file, std::string_view where) {
  if (file.size() < kLengthBytes) {
    fail_input("[safetensors] at least 8 bytes expected, {} found ({})", file.size(), where);
  }
  std::uint64_t length;
  std::memcpy(&length, file.data(), kLengthBytes);  // little-endian, as every CPU that we build for
  if (length > kMaxSafetensorsHeader) {
    fail_input("[safetensors] a header of at most {} bytes expected, {} found ({}, byte 0)",
               kMaxSafetensorsHeader, length, where);
  }
  if (length > file.size() - kLengthBytes) {
    fail_input("[safetensors] a header inside the file expected, {} bytes of {} found ({}, byte 0)", length,
               file.size() - kLengthBytes, where);
  }
  std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes,
                        static_cast<std::size_t>(length));
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
    fail_input("[safetensors] a header from '{{' to '}}' expected, none found ({}, byte 8)", where);
  }
  return text;
}

// Bytes that shape and type ask for; throws if the product overflows.
std::uint64_t byte_size(const StoredTensor& tensor, std::string_view where) {
  std::uint64_t bytes = dtype_size(tensor.type);
  bool overflow = false;
  bool empty = false;
  for (const std::int64_t n : tensor.shape) {
    empty = empty || n == 0;
    overflow = __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(n), &bytes) || overflow;
  }
  // (2^40, 2^40, 0) is refused too: its elements() would overflow on the way to zero.
  if (overflow)
    fail_input("[safetensors] a size below 2^64 expected, tensor {} has shape {} ({})", tensor.name,
               shape_text(tensor.shape), where);
  return empty ? 0 : bytes;
}

// Sorts the tensors by position and gives each its bytes; the ranges must cover the data exactly.
void place_tensors(SafetensorsContent& content, const std::vector<Range>& ranges,
                   std::span<const std::byte> data, std::string_view where) {
  std::vector<std::uint32_t> order(ranges.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(ranges[a].begin, ranges[a].end) < std::tie(ranges[b].begin, ranges[b].end);
  });
  std::vector<StoredTensor> placed;
  placed.reserve(order.size());
  std::uint64_t covered = 0;
  for (const std::uint32_t i : order) {
    StoredTensor& tensor = content.tensors[i];
    const auto [begin, end] = ranges[i];
    if (begin > end || end > data.size()) {
      fail_input("[safetensors] offsets inside {} bytes of data expected, tensor {} has [{}, {}] ({})",
                 data.size(), tensor.name, begin, end, where);
    }
    if (begin != covered) {
      fail_input("[safetensors] tensor {} at offset {} expected (no hole, no overlap), {} found ({})",
                 tensor.name, covered, begin, where);
    }
    const std::uint64_t bytes = byte_size(tensor, where);
    if (bytes != end - begin) {
      fail_input("[safetensors] {} bytes expected for {} {} of tensor {}, {} found ({})", bytes,
                 dtype_name(tensor.type), shape_text(tensor.shape), tensor.name, end - begin, where);
    }
    tensor.data = data.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(bytes));
    covered = end;
    placed.push_back(std::move(tensor));
  }
  if (covered != data.size()) {
    fail_input("[safetensors] tensors that cover {} bytes of data expected, {} covered ({})", data.size(),
               covered, where);
  }
  content.tensors = std::move(placed);
}

}  // namespace

SafetensorsContent parse_safetensors(std::span<const std::byte> file, std::string_view where) {
  refuse_pickle_and_zip(file, where);
  const std::string_view header = header_text(file, where);
  HeaderHandler handler(where);
  nlohmann::json::sax_parse(header.begin(), header.end(), &handler);
  SafetensorsContent content = handler.take_content();
  std::uint64_t header_length;
  std::memcpy(&header_length, file.data(), kLengthBytes);
  place_tensors(content, handler.take_ranges(),
                file.subspan(kLengthBytes + static_cast<std::size_t>(header_length)), where);
  return content;
}

}  // namespace smallmind
