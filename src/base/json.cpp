// A SAX handler that builds the value and refuses depth and duplicates as it goes. nlohmann's parser and
// destructor do not recurse, so that deep input costs no stack.
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "base/error.h"

namespace smallmind {
namespace {

using nlohmann::json;

// A pointer into the text that shows the world how far the parser has read: SAX events carry no position.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** seen_;
};

class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, std::string_view file, const JsonLimits& limits)
      : position(text.data()), text_(text), file_(file), limits_(limits) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(std::move(value)); }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    auto& members = stack_.back()->get_ref<json::object_t&>();
    const auto [member, fresh] = members.emplace(std::move(name), nullptr);
    if (!fresh)
      fail_input("[json] distinct keys expected, '{}' found twice ({}, byte {})", member->first, file_,
                 offset());
    slot_ = &member->second;
    return true;
  }
  bool parse_error(std::size_t byte, const std::string& token, const json::exception& e) override {
    std::string_view reason =
        e.what();  // "[json.exception...] parse error at line 1, column 2: syntax error ..."
    if (const std::size_t colon = reason.find(": "); colon != std::string_view::npos)
      reason.remove_prefix(colon + 2);
    fail_input("[json] valid JSON expected, {} at '{}' ({}, byte {})", reason, token.substr(0, 40), file_,
               byte);
  }

  json root;
  const char* position;  // one past the last character that the parser has read

 private:
  std::size_t offset() const { return static_cast<std::size_t>(position - text_.data()); }

  json* place(json&& value) {
    if (++values_ > limits_.values)
      fail_input("[json] at most {} values expected, more found ({}, byte {})", limits_.values, file_,
                 offset());
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (stack_.back()->is_object()) {
      *slot_ = std::move(value);
      return slot_;
    }
    auto& elements = stack_.back()->get_ref<json::array_t&>();
    elements.push_back(std::move(value));
    return &elements.back();
  }
  bool add(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json value) {
    if (static_cast<int>(stack_.size()) >= limits_.depth)
      fail_input("[json] at most {} levels expected, more found ({}, byte {})", limits_.depth, file_,
                 offset());
    stack_.push_back(
        place(std::move(value)));  // stable: a container grows only after its last child is closed
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  std::string_view text_;
  std::string_view file_;
  const JsonLimits& limits_;
  std::size_t values_ = 0;
  std::vector<json*> stack_;
  json* slot_ = nullptr;
};

// The member, or nullptr where it is absent or null.
const json* find(const json& object, const char* key, std::string_view file) {
  if (!object.is_object())
    fail_input("[json] an object with '{}' expected, {} found ({})", key, object.type_name(), file);
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

[[noreturn]] void fail_type(const json& value, const char* key, std::string_view file, const char* expected) {
  fail_input("[json] '{}' expected to be {}, {} found ({})", key, expected, json_text(value).substr(0, 60),
             file);
}

template <class T>
T require(std::optional<T> value, const char* key, std::string_view file) {
  if (!value) fail_input("[json] '{}' expected, not found ({})", key, file);
  return *std::move(value);
}

}  // namespace

json parse_json(std::string_view text, std::string_view file, const JsonLimits& limits) {
  if (text.size() > limits.bytes)
    fail_input("[json] at most {} bytes expected, {} found ({})", limits.bytes, text.size(), file);
  Builder builder(text, file, limits);
  const CountingIterator begin(text.data(), &builder.position),
      end(text.data() + text.size(), &builder.position);
  json::sax_parse(begin, end, &builder);
  return std::move(builder.root);
}

json read_json_file(const std::string& path, const JsonLimits& limits) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    fail_input("[json] a regular file expected, none found ({})", path);
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size > limits.bytes)
    fail_input("[json] a readable file of at most {} bytes expected, {} found ({})", limits.bytes,
               error ? error.message() : std::to_string(size), path);
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(size)))
    fail_input("[json] {} bytes expected to be readable, {} read ({})", size, file.gcount(), path);
  return parse_json(text, path, limits);
}

std::string json_text(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::optional<std::int64_t> find_json_int(const json& object, const char* key, std::string_view file) {
  const json* value = find(object, key, file);
  if (value == nullptr) return std::nullopt;
  const bool fits = value->is_number_unsigned() ? std::in_range<std::int64_t>(value->get<std::uint64_t>())
                                                : value->is_number_integer();
  if (!fits) fail_type(*value, key, file, "an integer");
  return value->get<std::int64_t>();
}

std::optional<double> find_json_number(const json& object, const char* key, std::string_view file) {
  const json* value = find(object, key, file);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) fail_type(*value, key, file, "a number");
  return value->get<double>();
}

std::optional<bool> find_json_bool(const json& object, const char* key, std::string_view file) {
  const json* value = find(object, key, file);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail_type(*value, key, file, "true or false");
  return value->get<bool>();
}

std::optional<std::string> find_json_string(const json& object, const char* key, std::string_view file) {
  const json* value = find(object, key, file);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) fail_type(*value, key, file, "a string");
  return value->get<std::string>();
}

std::int64_t json_int(const json& object, const char* key, std::string_view file) {
  return require(find_json_int(object, key, file), key, file);
}
double json_number(const json& object, const char* key, std::string_view file) {
  return require(find_json_number(object, key, file), key, file);
}
bool json_bool(const json& object, const char* key, std::string_view file) {
  return require(find_json_bool(object, key, file), key, file);
}
std::string json_string(const json& object, const char* key, std::string_view file) {
  return require(find_json_string(object, key, file), key, file);
}

}  // namespace smallmind
