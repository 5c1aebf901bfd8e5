// See make_tokenizer.h.
#include "train/make_tokenizer.h"

#include <set>

#include "text/bpe_trainer.h"
#include "text/char_tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace smallmind {
namespace {

// The tokenizer of all characters of the documents: that of a text which has each of them once.
std::unique_ptr<Tokenizer> char_tokenizer(const std::vector<SourceFile>& files, const std::string& field) {
  std::set<char32_t> characters;
  read_documents(files, field,
                 {[&](std::string_view piece) {
                    for (std::size_t at = 0; at < piece.size();) {
                      const Utf8Char next = decode_utf8(piece, at);
                      characters.insert(next.status == Utf8Status::valid ? next.code : kReplacementCharacter);
                      at += next.length;
                    }
                  },
                  [] {}});
  std::string text;
  for (const char32_t code : characters) append_utf8(text, code);
  return CharTokenizer::from_text(text);
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerChoice& choice, const std::vector<SourceFile>& files,
                                          const std::string& field,
                                          const std::function<void(std::int32_t, std::int32_t)>& progress) {
  if (choice.kind == "char") return char_tokenizer(files, field);
  if (choice.kind != "bpe") return load_tokenizer(choice.kind);
  BpeTrainer trainer({.vocab_size = choice.vocab_size, .threads = choice.threads});
  read_documents(files, field, {[&](std::string_view piece) { trainer.add(piece); }, [] {}});
  return trainer.train([&](std::int32_t made, std::int32_t wanted, std::uint64_t) {
    if (progress) progress(made, wanted);
    return true;
  });
}

}  // namespace smallmind
