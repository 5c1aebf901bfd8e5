// Documents in a column of a csv or tsv file: RFC 4180, read as a state machine over bytes.
//
// A field is plain up to the separator or the line end, or stands in quotes; inside quotes a doubled quote is
// one, and line ends are text. Lines end with LF or CR LF. The first line names the columns; only the wanted
// column is kept in memory.
#include <vector>

#include "base/error.h"
#include "train/document_formats.h"

namespace smallmind {
namespace {

class CsvReader final : public FormatReader {
 public:
  CsvReader(DocumentWriter& writer, std::string column, std::string where, char separator)
      : writer_(writer), column_(std::move(column)), where_(std::move(where)), separator_(separator) {}

  void bytes(std::string_view piece) override {
    for (const char c : piece) byte(c);
  }
  void finish() override {
    if (state_ == State::quoted) fail_at("a closing quote expected before the end of the file");
    if (state_ != State::start || column_index_ > 0 || row_begun_) end_row();
    if (header_)
      fail_input("[data] a header line that names a column '{}' expected, nothing found ({})", column_,
                 where_);
  }

 private:
  enum class State { start, plain, quoted, quote_in_quoted };

  void byte(char c) {
    switch (state_) {
      case State::quoted:
        if (c == '"')
          state_ = State::quote_in_quoted;
        else
          keep(c);
        break;
      case State::quote_in_quoted:
        if (c == '"') {
          keep(c);
          state_ = State::quoted;
        } else if (!ends_field(c) && c != '\r') {
          fail_at("a separator behind a closing quote expected");
        }
        break;
      case State::start:
        row_begun_ = true;
        if (c == '"')
          state_ = State::quoted;
        else if (!ends_field(c)) {
          state_ = State::plain;
          keep(c);
        }
        break;
      case State::plain:
        if (!ends_field(c)) keep(c);
        break;
    }
    if (c == '\n') ++line_;
  }

  // Whether c ended the field (and perhaps the row).
  bool ends_field(char c) {
    if (c == separator_)
      end_field();
    else if (c == '\n')
      end_row();
    else
      return false;
    return true;
  }

  void keep(char c) {
    if (!header_ && column_index_ != wanted_) return;
    if (field_.size() >= kMaxRecordBytes) fail_at("a field of at most 256 MiB expected");
    field_ += c;
  }

  void end_field() {
    if (header_) {
      names_.push_back(field_);
    } else if (column_index_ == wanted_) {
      writer_.append(field_);
      writer_.end();
    }
    field_.clear();
    ++column_index_;
    state_ = State::start;
  }

  void end_row() {
    if (state_ == State::plain && !field_.empty() && field_.back() == '\r') field_.pop_back();
    const bool blank = column_index_ == 0 && state_ == State::start && field_.empty();
    end_field();
    if (header_)
      find_column();
    else if (column_index_ <= wanted_ && !blank)
      fail_at("as many fields as the header names expected");
    column_index_ = 0;
    row_begun_ = false;
  }

  void find_column() {
    if (names_[0].starts_with("\xEF\xBB\xBF")) names_[0].erase(0, 3);
    std::string all;
    for (wanted_ = 0; wanted_ < names_.size() && names_[wanted_] != column_; ++wanted_)
      all += (all.empty() ? "" : ", ") + names_[wanted_];
    if (wanted_ == names_.size())
      fail_input("[data] a column '{}' expected, the header names {} ({}); --field chooses another", column_,
                 all, where_);
    header_ = false;
  }

  [[noreturn]] void fail_at(const char* text) const {
    fail_input("[data] {} ({}, line {})", text, where_, line_);
  }

  DocumentWriter& writer_;
  std::string column_, where_, field_;
  char separator_;
  State state_ = State::start;
  bool header_ = true, row_begun_ = false;
  std::vector<std::string> names_;
  std::size_t wanted_ = 0, column_index_ = 0;
  std::int64_t line_ = 1;
};

}  // namespace

std::unique_ptr<FormatReader> make_csv_reader(DocumentWriter& writer, const std::string& field,
                                              const std::string& where, char separator) {
  return std::make_unique<CsvReader>(writer, field, where, separator);
}

}  // namespace smallmind
