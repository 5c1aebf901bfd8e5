// Documents in XML by expat, which reads in pieces, does not recurse, limits the expansion of entities and
// fetches nothing.
#include <expat.h>

#include <exception>

#include "base/error.h"
#include "train/document_formats.h"

namespace smallmind {
namespace {

constexpr int kMaxDepth = 10'000;  // expat keeps some 100 bytes per open element

class XmlReader final : public FormatReader {
 public:
  XmlReader(DocumentWriter& writer, std::string element, std::string where)
      : writer_(writer),
        element_(std::move(element)),
        where_(std::move(where)),
        parser_(XML_ParserCreate(nullptr)) {
    if (parser_ == nullptr) fail_input("[data] memory for an XML parser expected, none left");
    XML_SetUserData(parser_, this);
    XML_SetElementHandler(parser_, on_start, on_end);
    XML_SetCharacterDataHandler(parser_, on_text);
  }
  ~XmlReader() override { XML_ParserFree(parser_); }
  XmlReader(const XmlReader&) = delete;
  XmlReader& operator=(const XmlReader&) = delete;

  void bytes(std::string_view piece) override { parse(piece, false); }
  void finish() override {
    parse({}, true);
    if (element_.empty()) writer_.end();
  }

 private:
  void parse(std::string_view piece, bool last) {
    const XML_Status status = XML_Parse(parser_, piece.data(), static_cast<int>(piece.size()), last ? 1 : 0);
    if (error_ != nullptr) std::rethrow_exception(error_);
    if (status != XML_STATUS_OK)
      fail_input("[data] well-formed XML expected, {} ({}, line {})",
                 XML_ErrorString(XML_GetErrorCode(parser_)), where_, XML_GetCurrentLineNumber(parser_));
  }

  // Exceptions must not pass through expat's C code: they wait until it has returned.
  template <class Function>
  void guarded(Function function) noexcept {
    if (error_ != nullptr) return;
    try {
      function();
    } catch (...) {
      error_ = std::current_exception();
      XML_StopParser(parser_, XML_FALSE);
    }
  }

  static void XMLCALL on_start(void* self, const XML_Char* name, const XML_Char**) {
    auto* reader = static_cast<XmlReader*>(self);
    reader->guarded([&] {
      if (++reader->depth_ > kMaxDepth)
        fail_input("[data] at most {} nested elements expected ({})", kMaxDepth, reader->where_);
      if (name == reader->element_) ++reader->inside_;
    });
  }
  static void XMLCALL on_end(void* self, const XML_Char* name) {
    auto* reader = static_cast<XmlReader*>(self);
    reader->guarded([&] {
      --reader->depth_;
      if (name == reader->element_ && --reader->inside_ == 0) reader->writer_.end();
    });
  }
  static void XMLCALL on_text(void* self, const XML_Char* text, int length) {
    auto* reader = static_cast<XmlReader*>(self);
    if (!reader->element_.empty() && reader->inside_ == 0) return;
    reader->guarded([&] { reader->writer_.append({text, static_cast<std::size_t>(length)}); });
  }

  DocumentWriter& writer_;
  std::string element_, where_;
  XML_Parser parser_;
  std::exception_ptr error_;
  int depth_ = 0, inside_ = 0;
};

}  // namespace

std::unique_ptr<FormatReader> make_xml_reader(DocumentWriter& writer, const std::string& field,
                                              const std::string& where) {
  return std::make_unique<XmlReader>(writer, field, where);
}

}  // namespace smallmind
