// Documents in JSON: a whole file (array or object), or one value per line.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "train/document_formats.h"

namespace smallmind {
namespace {

using nlohmann::json;

// One record: a text, or an object whose `field` is a text.
void write_record(DocumentWriter& writer, const json& record, const std::string& field,
                  const std::string& where) {
  writer.append(record.is_string() ? record.get_ref<const std::string&>()
                                   : json_string(record, field.c_str(), where));
  writer.end();
}

class JsonReader final : public FormatReader {
 public:
  JsonReader(DocumentWriter& writer, std::string field, std::string where)
      : writer_(writer), field_(std::move(field)), where_(std::move(where)) {}

  void bytes(std::string_view piece) override {
    if (text_.size() + piece.size() > kMaxRecordBytes)
      fail_input("[data] a json file of at most {} bytes expected (jsonl has no limit) ({})", kMaxRecordBytes,
                 where_);
    text_ += piece;
  }
  void finish() override {
    const json root = parse_json(text_, where_);
    if (!root.is_array()) return write_record(writer_, root, field_, where_);
    for (const json& record : root) write_record(writer_, record, field_, where_);
  }

 private:
  DocumentWriter& writer_;
  std::string field_, where_, text_;
};

class JsonlReader final : public FormatReader {
 public:
  JsonlReader(DocumentWriter& writer, std::string field, std::string where)
      : writer_(writer), field_(std::move(field)), where_(std::move(where)) {}

  void bytes(std::string_view piece) override {
    for (std::size_t end; (end = piece.find('\n')) != std::string_view::npos; piece.remove_prefix(end + 1)) {
      line_ += piece.substr(0, end);
      finish_line();
    }
    line_ += piece;
    if (line_.size() > kMaxRecordBytes)
      fail_input("[data] lines of at most {} bytes expected ({}, line {})", kMaxRecordBytes, where_, number_);
  }
  void finish() override { finish_line(); }

 private:
  void finish_line() {
    if (line_.find_first_not_of(" \t\r") != std::string::npos) {
      const std::string place = where_ + ", line " + std::to_string(number_);
      write_record(writer_, parse_json(line_, place), field_, place);
    }
    line_.clear();
    ++number_;
  }

  DocumentWriter& writer_;
  std::string field_, where_, line_;
  std::int64_t number_ = 1;
};

}  // namespace

std::unique_ptr<FormatReader> make_json_reader(DocumentWriter& writer, const std::string& field,
                                               const std::string& where) {
  return std::make_unique<JsonReader>(writer, field, where);
}

std::unique_ptr<FormatReader> make_jsonl_reader(DocumentWriter& writer, const std::string& field,
                                                const std::string& where) {
  return std::make_unique<JsonlReader>(writer, field, where);
}

}  // namespace smallmind
