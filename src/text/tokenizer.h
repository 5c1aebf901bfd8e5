// The one interface of all tokenizers: text to ids and back.
//
// A tokenizer is immutable; every const function may be called by any number of threads at once.
// Control tokens ("<|endoftext|>") in a text are ordinary characters unless the caller says parse_special:
// what a user types can never end a document or open a turn. Files are read and written by
// text/tokenizer_json.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace smallmind {

// The end-of-text token of the tokenizers that are made here (GPT-2's).
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // "char" or "bpe".
  virtual std::string_view kind() const = 0;

  // V: ids are 0 .. vocab_size()-1.
  int32_t vocab_size() const { return vocabulary_.size(); }
  const Vocabulary& vocabulary() const { return vocabulary_; }

  // The bytes that the token stands for; a byte-level token may hold a part of a UTF-8 character. Valid as
  // long as the tokenizer. Throws bad_input when id is outside the vocabulary.
  std::string_view token_bytes(int32_t id) const;
  bool is_special(int32_t id) const;
  size_t longest_token_bytes() const { return vocabulary_.longest_token_bytes(); }

  // The tokens that end and begin a text, where the tokenizer has them. encode() adds neither.
  std::optional<int32_t> eos_id() const { return eos_id_; }
  std::optional<int32_t> bos_id() const { return bos_id_; }

  // The ids of `text`. With parse_special the text of control tokens becomes those tokens. Throws bad_input
  // when the text cannot be expressed (a character that a char tokenizer does not know).
  std::vector<int32_t> encode(std::string_view text, bool parse_special = false) const;

  // The same, appended to `ids`; after an error what lies behind the old end of `ids` has no meaning.
  void encode_into(std::string_view text, std::vector<int32_t>& ids, bool parse_special = false) const;

  // The bytes of `ids` one after another, control tokens left out unless keep_special. Throws bad_input for
  // an id outside the vocabulary. Not necessarily valid UTF-8: text/stream_decoder.h makes it so.
  std::string decode(std::span<const int32_t> ids, bool keep_special = false) const;

 protected:
  // eos is the first of a list of well-known end-of-text names that is a control token of the vocabulary; bos
  // is `bos`, else eos where that is "<|endoftext|>" (GPT-2 has one token for both).
  explicit Tokenizer(Vocabulary vocabulary, std::optional<int32_t> bos = std::nullopt);

  // Appends the ids of a text without added tokens.
  virtual void encode_plain(std::string_view text, std::vector<int32_t>& ids) const = 0;

 private:
  Vocabulary vocabulary_;
  std::optional<int32_t> eos_id_;
  std::optional<int32_t> bos_id_;
};

}  // namespace smallmind
