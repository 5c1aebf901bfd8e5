// One token per Unicode character, as in nanoGPT's character recipes, and one end-of-text token.
//
// Ids: the characters in ascending code point order, then "<|endoftext|>" (so a character's id is nanoGPT's).
// Invalid UTF-8 counts as U+FFFD, one for each maximal subpart. A character that the vocabulary lacks is an
// error that names it and its byte offset: dropping it silently would change the text. No normalisation: the
// NFC and NFD forms of a letter are different characters.
#pragma once

#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer.h"

namespace smallmind {

class CharTokenizer final : public Tokenizer {
 public:
  // The tokenizer of the characters of `text`, in memory that does not depend on the size of the text.
  static std::unique_ptr<CharTokenizer> from_text(std::string_view text);

  // Every normal token of the vocabulary is one character; throws bad_input otherwise.
  explicit CharTokenizer(Vocabulary vocabulary, std::optional<int32_t> bos = std::nullopt);

  std::string_view kind() const override { return "char"; }

 protected:
  void encode_plain(std::string_view text, std::vector<int32_t>& ids) const override;

 private:
  int32_t id_of(char32_t code) const;

  std::vector<int32_t> ascii_ids_;  // 128 entries, -1 where absent
  std::unordered_map<char32_t, int32_t> other_ids_;
};

}  // namespace smallmind
