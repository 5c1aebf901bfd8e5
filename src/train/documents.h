// Documents from files: plain text, json, jsonl, csv (tsv) and xml, one file or a directory of them.
//
//   text            the file is one document; also every file of an unknown ending that is named itself
//   json            an array of texts or of objects, or one object: the field is the document
//   jsonl, ndjson   one object or text per line
//   csv, tsv        RFC 4180 with a header line: the column of the field's name; quotes may hold line ends
//   xml             the text of the whole file, or of each element of the field's name; entities are
//   resolved, external
//                   ones are never fetched
// Files are read in pieces and never mapped, so one that shrinks meanwhile is an error rather than a SIGBUS.
// A file of any size passes in bounded memory; single records are limited to 256 MiB.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace smallmind {

enum class DataFormat : std::uint8_t { text, json, jsonl, csv, tsv, xml };

struct SourceFile {
  std::filesystem::path path;
  DataFormat format = DataFormat::text;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
};

// Where documents go. A long document comes in several pieces, cut where no tokenizer joins across: behind
// the single line end between two other characters.
struct DocumentSink {
  std::function<void(std::string_view piece)> text;
  std::function<void()> end_document;
};

// The regular files of known endings below a directory in the order of their paths, hidden ones left out; or
// the file itself. Throws Error (bad_input) where there is nothing to read.
std::vector<SourceFile> find_sources(const std::filesystem::path& data);

// Sends all documents of `files`, in order. field: empty means "text" (for xml: the whole file). bytes_read,
// if given, sees the raw bytes of all files. Throws Error (bad_input) with file and line for what cannot be
// read, and for a file that changed meanwhile.
void read_documents(const std::vector<SourceFile>& files, const std::string& field, const DocumentSink& sink,
                    const std::function<void(std::string_view)>& bytes_read = {});

}  // namespace smallmind
