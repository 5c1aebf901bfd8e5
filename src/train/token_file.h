// The ids of a text, tokenised once and mapped from then on.
//
//   | ids | content hash, 32 hex digits | u64 count | u32 bytes per id, 2 or 4 | u32 vocabulary | u32 0 | u32
//   version 1 | "SMTOKENS" |
//    0     from the end: 64              32          24                       20               16      12 8
// The description stands at the end, because it is only known when all ids are written.
// Little-endian. Ids take 2 bytes where the vocabulary has at most 65,536 tokens. A cached file is named by a
// hash of the sources' paths, sizes and times, of the field and of the tokenizer, so an outdated one is never
// found; the content hash in it is that of the sources' bytes, by which a resumed run knows its data again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "tensor/mapped_file.h"
#include "text/tokenizer.h"
#include "train/documents.h"

namespace smallmind {

// Thread-safe once opened.
class TokenFile {
 public:
  // Throws Error (bad_input) unless it is a whole token file of this vocabulary.
  TokenFile(const std::filesystem::path& path, std::int32_t vocab);

  std::int64_t size() const noexcept { return count_; }
  const std::string& content_hash() const noexcept { return content_hash_; }
  const std::filesystem::path& path() const noexcept { return path_; }

  // The ids [first, first + out.size()), which must lie inside. Throws Error (bad_input) for an id outside of
  // the vocabulary: the file was damaged.
  void read(std::int64_t first, std::span<std::int32_t> out) const;

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::int32_t vocab_;
  std::uint32_t id_bytes_ = 0;
  std::int64_t count_ = 0;
  std::string content_hash_;
};

// Called now and then with the bytes read so far, of `total`.
using TokeniseProgress = std::function<void(std::uint64_t bytes, std::uint64_t total)>;

// The token file of these documents in `cache_directory`, which is made if need be; written first where it is
// not there. Documents are joined by the end-of-text token, where the tokenizer has one and there is more
// than one document. Memory is bounded whatever the size of the data.
TokenFile tokenise(const std::vector<SourceFile>& files, const std::string& field, const Tokenizer& tokenizer,
                   const std::filesystem::path& cache_directory, const TokeniseProgress& progress = {});

}  // namespace smallmind
