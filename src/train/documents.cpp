// Finding files and passing their bytes to the reader of their format; see documents.h.
#include "train/documents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "train/document_formats.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;  // a piece is cut at the first place behind this
constexpr std::size_t kLongestPiece = std::size_t{16}
                                      << 20;  // without such a place: cut between two characters

struct Ending {
  const char* name;
  DataFormat format;
};
constexpr Ending kEndings[] = {
    {".txt", DataFormat::text},  {".text", DataFormat::text},   {".md", DataFormat::text},
    {".json", DataFormat::json}, {".jsonl", DataFormat::jsonl}, {".ndjson", DataFormat::jsonl},
    {".csv", DataFormat::csv},   {".tsv", DataFormat::tsv},     {".xml", DataFormat::xml}};

const Ending* known_ending(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const Ending& each : kEndings)
    if (ending == each.name) return &each;
  return nullptr;
}

SourceFile describe(const fs::path& path, DataFormat format) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    fail_input("[data] a file to read expected, {} ({})", std::generic_category().message(errno),
               path.string());
  if (!S_ISREG(status.st_mode)) fail_input("[data] a regular file or directory expected ({})", path.string());
  return {path, format, static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// The first place at or behind `from` to cut before: behind a line end that stands alone. No pre-tokenizer
// looks across it, since a run of white space that ends there would end there anyway.
std::size_t find_cut(std::string_view text, std::size_t from) {
  for (std::size_t i = text.find('\n', from); i != std::string_view::npos; i = text.find('\n', i + 1))
    if (i > 0 && i + 1 < text.size() && !is_space(text[i - 1]) && !is_space(text[i + 1])) return i + 1;
  return std::string_view::npos;
}

std::unique_ptr<FormatReader> make_reader(const SourceFile& file, const std::string& field,
                                          DocumentWriter& writer) {
  const std::string where = file.path.string();
  const std::string column = field.empty() ? "text" : field;
  switch (file.format) {
    case DataFormat::json:
      return make_json_reader(writer, column, where);
    case DataFormat::jsonl:
      return make_jsonl_reader(writer, column, where);
    case DataFormat::csv:
      return make_csv_reader(writer, column, where, ',');
    case DataFormat::tsv:
      return make_csv_reader(writer, column, where, '\t');
    case DataFormat::xml:
      return make_xml_reader(writer, field, where);
    case DataFormat::text:
      break;
  }
  return make_text_reader(writer);
}

class TextReader final : public FormatReader {
 public:
  explicit TextReader(DocumentWriter& writer) : writer_(writer) {}
  void bytes(std::string_view piece) override { writer_.append(piece); }
  void finish() override { writer_.end(); }

 private:
  DocumentWriter& writer_;
};

class Descriptor {
 public:
  explicit Descriptor(const fs::path& path) : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (number_ < 0)
      fail_input("[data] a file to read expected, {} ({})", std::generic_category().message(errno),
                 path.string());
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  std::size_t read(std::string& buffer, const fs::path& path) const {
    for (;;) {
      const ssize_t count = ::read(number_, buffer.data(), buffer.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR)
        fail_input("[data] reading expected to succeed, {} ({})", std::generic_category().message(errno),
                   path.string());
    }
  }

 private:
  int number_;
};

}  // namespace

void DocumentWriter::append(std::string_view text) {
  pending_ += text;
  while (pending_.size() > kPieceBytes) {
    const std::size_t cut = find_cut(pending_, std::max(searched_, kPieceBytes));
    if (cut != std::string_view::npos) {
      pass_on(cut);
    } else if (pending_.size() >= kLongestPiece) {
      std::size_t end =
          pending_.size();  // behind a whole character: step back over at most one begun character
      for (int i = 0; i < 4 && (pending_[end - 1] & 0xC0) == 0x80; ++i) --end;
      if ((pending_[end - 1] & 0xC0) == 0xC0) --end;
      pass_on(end);
    } else {
      searched_ = pending_.size() - 1;  // the last character's successor is not known yet
      return;
    }
  }
}

void DocumentWriter::pass_on(std::size_t bytes) {
  sink_.text(std::string_view(pending_).substr(0, bytes));
  pending_.erase(0, bytes);
  searched_ = 0;
  begun_ = true;
}

void DocumentWriter::end() {
  if (!pending_.empty()) pass_on(pending_.size());
  if (begun_) sink_.end_document();
  begun_ = false;
}

std::unique_ptr<FormatReader> make_text_reader(DocumentWriter& writer) {
  return std::make_unique<TextReader>(writer);
}

std::vector<SourceFile> find_sources(const fs::path& data) {
  std::error_code error;
  if (!fs::is_directory(data, error)) {
    const Ending* ending = known_ending(data);
    return {describe(data, ending == nullptr ? DataFormat::text : ending->format)};
  }
  std::vector<fs::path> paths;
  for (fs::recursive_directory_iterator it(data, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(".")) {
      if (it->is_directory()) it.disable_recursion_pending();
    } else if (it->is_regular_file() && known_ending(it->path()) != nullptr) {
      paths.push_back(it->path());
    }
  }
  if (error) fail_input("[data] a readable directory expected, {} ({})", error.message(), data.string());
  if (paths.empty())
    fail_input(
        "[data] a directory with .txt, .md, .json, .jsonl, .csv, .tsv or .xml files expected, none found "
        "({})",
        data.string());
  std::sort(paths.begin(), paths.end());
  std::vector<SourceFile> files;
  for (const fs::path& path : paths) files.push_back(describe(path, known_ending(path)->format));
  return files;
}

void read_documents(const std::vector<SourceFile>& files, const std::string& field, const DocumentSink& sink,
                    const std::function<void(std::string_view)>& bytes_read) {
  std::string buffer(kReadBytes, '\0');
  DocumentWriter writer(sink);
  for (const SourceFile& file : files) {
    const std::unique_ptr<FormatReader> reader = make_reader(file, field, writer);
    const Descriptor descriptor(file.path);
    while (const std::size_t count = descriptor.read(buffer, file.path)) {
      const std::string_view piece = std::string_view(buffer).substr(0, count);
      if (bytes_read) bytes_read(piece);
      reader->bytes(piece);
    }
    reader->finish();
    const SourceFile now = describe(file.path, file.format);
    if (now.bytes != file.bytes || now.modified_ns != file.modified_ns)
      fail_input("[data] a file that stays as it is expected, it changed while being read ({})",
                 file.path.string());
  }
}

}  // namespace smallmind
