// llama.cpp knows pre-tokenizers by name only, and looks a symbol up in the vocabulary after merging has
// ended. So the merges that build "\xe2\x82\xac" (three bytes) may pass through a symbol of two bytes that is
// no token, and since a lead byte never follows a lead byte inside a character, no other text can take these
// merges.
#include "cli/gguf_vocabulary.h"

#include <set>

#include "base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/byte_level.h"

namespace smallmind {
namespace {

std::string pre_tokenizer_name(const BpeTokenizer& tokenizer) {
  if (tokenizer.pattern() == kGpt2Pattern && !tokenizer.ignore_merges()) return "gpt-2";
  if (tokenizer.pattern() == kLlama3Pattern) return tokenizer.ignore_merges() ? "llama-bpe" : "smaug-bpe";
  fail_input(
      "[export] the pre-tokenizer of GPT-2 or Llama 3 expected (llama.cpp knows no other pattern), found: {}",
      tokenizer.pattern());
}

std::vector<std::string> bpe_merges(const BpeTokenizer& tokenizer) {
  std::vector<std::string> merges;
  for (const Merge& merge : tokenizer.merges()) {
    merges.push_back(to_byte_level(tokenizer.token_bytes(merge.left)) + " " +
                     to_byte_level(tokenizer.token_bytes(merge.right)));
  }
  return merges;
}

std::vector<std::string> character_merges(const Tokenizer& tokenizer) {
  std::vector<std::string> merges;
  std::set<std::string> known;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.vocabulary().kind(id) != TokenKind::normal) continue;
    const std::string_view character = tokenizer.token_bytes(id);
    for (std::size_t length = 1; length < character.size(); ++length) {
      const std::string merge =
          to_byte_level(character.substr(0, length)) + " " + to_byte_level(character.substr(length, 1));
      if (known.insert(merge).second) merges.push_back(merge);
    }
  }
  return merges;
}

}  // namespace

GgufVocabulary gguf_vocabulary(const Tokenizer& tokenizer) {
  GgufVocabulary out;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const TokenKind kind = tokenizer.vocabulary().kind(id);
    const std::string_view bytes = tokenizer.token_bytes(id);
    out.tokens.push_back(kind == TokenKind::normal ? to_byte_level(bytes) : std::string(bytes));
    out.types.push_back(kind == TokenKind::normal  ? GgufToken::normal
                        : kind == TokenKind::added ? GgufToken::user_defined
                                                   : GgufToken::control);
  }
  const auto* bpe = dynamic_cast<const BpeTokenizer*>(&tokenizer);
  if (bpe != nullptr) out.pre = pre_tokenizer_name(*bpe);
  out.merges = bpe != nullptr ? bpe_merges(*bpe) : character_merges(tokenizer);
  return out;
}

}  // namespace smallmind
