// What all tokenizers share: cutting a text at its added tokens, and the way back from ids to bytes.
#include "text/tokenizer.h"

#include "base/error.h"

namespace smallmind {

Tokenizer::Tokenizer(Vocabulary vocabulary, std::optional<int32_t> bos)
    : vocabulary_(std::move(vocabulary)), bos_id_(bos) {
  using namespace std::string_view_literals;
  for (const std::string_view name :
       {kEndOfText, "<|end_of_text|>"sv, "<|im_end|>"sv, "<|eot_id|>"sv, "</s>"sv}) {
    const std::optional<int32_t> id = vocabulary_.added_id(name);
    if (!id || vocabulary_.kind(*id) != TokenKind::special) continue;
    eos_id_ = id;
    if (!bos_id_ && name == kEndOfText) bos_id_ = id;
    return;
  }
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (!vocabulary_.contains(id)) {
    fail_input("[tokenizer] a token id from 0 to {} expected, {} found", vocab_size() - 1, id);
  }
  return vocabulary_.bytes(id);
}

bool Tokenizer::is_special(int32_t id) const {
  return vocabulary_.contains(id) && vocabulary_.kind(id) == TokenKind::special;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool parse_special) const {
  std::vector<int32_t> ids;
  encode_into(text, ids, parse_special);
  return ids;
}

void Tokenizer::encode_into(std::string_view text, std::vector<int32_t>& ids, bool parse_special) const {
  size_t from = 0;
  while (const auto match = vocabulary_.find_added(text, from, parse_special)) {
    if (match->begin > from) encode_plain(text.substr(from, match->begin - from), ids);
    ids.push_back(match->id);
    from = match->begin + match->length;
  }
  if (from < text.size()) encode_plain(text.substr(from), ids);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool keep_special) const {
  std::string text;
  for (const int32_t id : ids) {
    const std::string_view bytes = token_bytes(id);
    if (keep_special || !is_special(id)) text.append(bytes);
  }
  return text;
}

}  // namespace smallmind
