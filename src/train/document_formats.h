// The readers behind documents.h, one per format. Each takes the file's bytes in pieces and writes documents.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "train/documents.h"

namespace smallmind {

inline constexpr std::size_t kMaxRecordBytes = std::size_t{256} << 20;

// Gathers the text of one document and passes it on in pieces of some megabytes.
class DocumentWriter {
 public:
  explicit DocumentWriter(const DocumentSink& sink) : sink_(sink) {}

  void append(std::string_view text);
  void end();  // of the document; one without any text is dropped

 private:
  void pass_on(std::size_t bytes);

  const DocumentSink& sink_;
  std::string pending_;
  std::size_t searched_ = 0;  // bytes of pending_ that hold no place to cut
  bool begun_ = false;
};

// One file: bytes() is called with consecutive pieces, then finish() once.
class FormatReader {
 public:
  virtual ~FormatReader() = default;
  virtual void bytes(std::string_view piece) = 0;
  virtual void finish() = 0;
};

// where: the file's name for errors. `writer` must outlive the reader.
std::unique_ptr<FormatReader> make_text_reader(DocumentWriter& writer);
std::unique_ptr<FormatReader> make_json_reader(DocumentWriter& writer, const std::string& field,
                                               const std::string& where);
std::unique_ptr<FormatReader> make_jsonl_reader(DocumentWriter& writer, const std::string& field,
                                                const std::string& where);
std::unique_ptr<FormatReader> make_csv_reader(DocumentWriter& writer, const std::string& field,
                                              const std::string& where, char separator);
std::unique_ptr<FormatReader> make_xml_reader(DocumentWriter& writer, const std::string& field,
                                              const std::string& where);

}  // namespace smallmind
