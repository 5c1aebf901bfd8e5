// Writing and mapping of token files; see token_file.h.
#include "train/token_file.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/atomic_file.h"
#include "base/byte_reader.h"
#include "base/hash.h"
#include "base/log.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "SMTOKENS";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHashDigits = 32;
constexpr std::int32_t kNarrowVocab = 65536;

struct Footer {
  char content_hash[kHashDigits];
  std::uint64_t count;
  std::uint32_t id_bytes, vocab, reserved, version;
  char magic[8];
};
static_assert(sizeof(Footer) == 64);

template <class Id>
void append_ids(AtomicFile& file, const std::vector<std::int32_t>& ids, std::vector<Id>& narrow) {
  narrow.assign(ids.size(), 0);
  std::transform(ids.begin(), ids.end(), narrow.begin(), [](std::int32_t id) { return static_cast<Id>(id); });
  file.append(std::as_bytes(std::span(narrow)));
}

std::string cache_name(const std::vector<SourceFile>& files, const std::string& field,
                       const Tokenizer& tokenizer) {
  Hash hash;
  hash.update_field(std::to_string(kVersion));
  hash.update_field(field);
  hash.update_field(tokenizer_to_json(tokenizer));
  for (const SourceFile& file : files) {
    std::error_code ignored;
    hash.update_field(fs::absolute(file.path, ignored).lexically_normal().string());
    hash.update_field(std::to_string(file.bytes));
    hash.update_field(std::to_string(file.modified_ns));
  }
  return hash.hex() + ".tokens";
}

// Takes documents and writes their ids.
class TokenWriter {
 public:
  TokenWriter(const fs::path& path, const Tokenizer& tokenizer) : file_(path), tokenizer_(tokenizer) {}

  void text(std::string_view piece) {
    ids_.clear();
    if (ended_ && tokenizer_.eos_id()) ids_.push_back(*tokenizer_.eos_id());
    ended_ = false;
    tokenizer_.encode_into(piece, ids_);
    if (tokenizer_.vocab_size() > kNarrowVocab)
      file_.append(std::as_bytes(std::span(ids_)));
    else
      append_ids(file_, ids_, narrow_);
    count_ += ids_.size();
  }
  void end_document() { ended_ = true; }

  void commit(const std::string& content_hash) {
    Footer footer{};
    std::copy_n(content_hash.data(), kHashDigits, footer.content_hash);
    footer.count = count_;
    footer.vocab = static_cast<std::uint32_t>(tokenizer_.vocab_size());
    footer.id_bytes = tokenizer_.vocab_size() > kNarrowVocab ? 4 : 2;
    footer.version = kVersion;
    std::copy_n(kMagic.data(), kMagic.size(), footer.magic);
    file_.append(std::as_bytes(std::span(&footer, 1)));
    file_.commit();
  }

 private:
  AtomicFile file_;
  const Tokenizer& tokenizer_;
  std::vector<std::int32_t> ids_;
  std::vector<std::uint16_t> narrow_;
  std::uint64_t count_ = 0;
  bool ended_ = false;  // a document has ended and another may follow
};

void write_tokens(const std::vector<SourceFile>& files, const std::string& field, const Tokenizer& tokenizer,
                  const fs::path& path, const TokeniseProgress& progress) {
  TokenWriter writer(path, tokenizer);
  Hash content;
  std::uint64_t bytes = 0, total = 0;
  for (const SourceFile& file : files) total += file.bytes;
  read_documents(files, field,
                 {[&](std::string_view piece) { writer.text(piece); }, [&] { writer.end_document(); }},
                 [&](std::string_view piece) {
                   content.update(piece);
                   bytes += piece.size();
                   if (progress) progress(bytes, total);
                 });
  writer.commit(content.hex());
}

}  // namespace

TokenFile::TokenFile(const fs::path& path, std::int32_t vocab)
    : path_(path), file_(path, Access::random), vocab_(vocab) {
  const std::size_t bytes = file_.size();
  if (bytes < sizeof(Footer))
    fail_input("[tokens] at least {} bytes expected, {} found ({})", sizeof(Footer), bytes, path.string());
  ByteReader reader(file_.bytes(), "tokens", file_.path());
  reader.seek(bytes - sizeof(Footer), "description");
  const Footer footer = reader.read<Footer>("description");
  if (std::string_view(footer.magic, sizeof(footer.magic)) != kMagic)
    reader.fail("\"SMTOKENS\" at the end expected");
  if (footer.version != kVersion || (footer.id_bytes != 2 && footer.id_bytes != 4))
    reader.fail("version 1 with ids of 2 or 4 bytes expected");
  if (footer.count > bytes || footer.count * footer.id_bytes != bytes - sizeof(Footer))
    reader.fail(fmt::format("{} ids in {} bytes expected", footer.count, bytes - sizeof(Footer)));
  if (footer.vocab != static_cast<std::uint32_t>(vocab))
    reader.fail(fmt::format("a vocabulary of {} tokens expected, {} found", vocab, footer.vocab));
  id_bytes_ = footer.id_bytes;
  count_ = static_cast<std::int64_t>(footer.count);
  content_hash_.assign(footer.content_hash, kHashDigits);
}

void TokenFile::read(std::int64_t first, std::span<std::int32_t> out) const {
  const auto count = static_cast<std::int64_t>(out.size());
  SM_CHECK(first >= 0 && count <= count_ && first <= count_ - count, "[tokens] ids {} to {} of {} asked for",
           first, first + count, count_);
  const std::byte* from = file_.bytes().data() + static_cast<std::size_t>(first) * id_bytes_;
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint32_t id = 0;
    std::memcpy(&id, from + i * id_bytes_, id_bytes_);
    if (id >= static_cast<std::uint32_t>(vocab_)) [[unlikely]]
      fail_input("[tokens] ids below {} expected, {} found ({}, id {}); delete the damaged file", vocab_, id,
                 path_.string(), first + static_cast<std::int64_t>(i));
    out[i] = static_cast<std::int32_t>(id);
  }
}

TokenFile tokenise(const std::vector<SourceFile>& files, const std::string& field, const Tokenizer& tokenizer,
                   const fs::path& cache_directory, const TokeniseProgress& progress) {
  std::error_code error;
  fs::create_directories(cache_directory, error);
  if (error)
    fail_input("[tokens] a directory for tokenised texts expected, {} ({})", error.message(),
               cache_directory.string());
  const fs::path path = cache_directory / cache_name(files, field, tokenizer);
  if (fs::exists(path, error)) {
    try {
      return TokenFile(path, tokenizer.vocab_size());
    } catch (const Error& e) {
      log_warning("{}; it is made anew", e.what());
    }
  }
  remove_orphans(cache_directory);
  write_tokens(files, field, tokenizer, path, progress);
  return TokenFile(path, tokenizer.vocab_size());
}

}  // namespace smallmind
