// Ids to text, one token at a time, for a terminal or a socket: every piece that comes out is whole UTF-8
// characters.
//
// A byte-level token may end inside a character. Its bytes (at most 3) wait for the next token; bytes that
// can belong to no character come out as U+FFFD at once, and what still waits at the end comes out as one
// U+FFFD. So the pieces together are exactly the decoded bytes with each maximal invalid subpart replaced
// (text/utf8.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace smallmind {

class StreamDecoder {
 public:
  // The tokenizer outlives the decoder. All memory is taken here: push() and finish() never allocate.
  // Control tokens give no text unless keep_special.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool keep_special = false);

  // The text that the token completes, often empty; valid until the next call. Throws bad_input for an id
  // outside the vocabulary.
  std::string_view push(int32_t id);

  // What is left at the end of the stream: nothing or U+FFFD. The decoder is then as new.
  std::string_view finish();

 private:
  const Tokenizer& tokenizer_;
  bool keep_special_;
  std::string bytes_;  // between calls: the start of an unfinished character
  std::string text_;
};

}  // namespace smallmind
