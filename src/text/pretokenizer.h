// Cuts a text into the pieces inside which BPE merges, with a regular expression (PCRE2: UTF, Unicode
// properties, JIT).
//
// - The pieces lie end to end and cover the text: what the pattern does not match is a piece too (Hugging
// Face's Split with
//   behaviour "isolated"). An empty pattern makes the whole text one piece.
// - `\s` means Unicode's White_Space, as in Hugging Face's engine; PCRE2's own also has U+180E.
// - What is a letter or a digit is the Unicode version of PCRE2 (14.0 in 10.42); newer scripts count as
// neither.
// - Invalid UTF-8 never reaches the engine: each maximal run of invalid bytes is a piece of its own, the
// valid text before
//   and after it is matched on its own. So no byte is lost.
// - A pattern that backtracks too much ends with an error, never with a hang or a stack overflow.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;
struct pcre2_real_match_data_8;
struct pcre2_real_jit_stack_8;

namespace smallmind {

// The patterns of GPT-2 (Radford et al. 2019, encoder.py) and of Llama 3 (Meta 2024, tokenizer.json).
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

class Pretokenizer {
 public:
  // Throws bad_input when the pattern does not compile. Uses the JIT compiler where the machine allows it.
  explicit Pretokenizer(std::string_view pattern);

  const std::string& pattern() const { return pattern_; }

 private:
  friend class PieceScanner;
  struct Free {
    void operator()(pcre2_real_code_8* code) const noexcept;
  };
  std::string pattern_;
  std::unique_ptr<pcre2_real_code_8, Free> code_;  // null for the empty pattern
};

// Walks over the pieces of one text. Holds the scratch of the engine, so that one Pretokenizer serves many
// threads, each with a scanner of its own. The pretokenizer outlives the scanner; the text outlives the
// pieces.
class PieceScanner {
 public:
  explicit PieceScanner(const Pretokenizer& pretokenizer);

  void start(std::string_view text);

  // Sets `piece` to the next piece, never empty, or returns false at the end of the text. Throws bad_input
  // when the pattern exceeds its limit of backtracking.
  bool next(std::string_view& piece);

 private:
  struct Free {
    void operator()(pcre2_real_match_context_8* context) const noexcept;
    void operator()(pcre2_real_match_data_8* data) const noexcept;
    void operator()(pcre2_real_jit_stack_8* stack) const noexcept;
  };
  bool match();
  std::string_view take(size_t end);

  const Pretokenizer& pretokenizer_;
  std::unique_ptr<pcre2_real_jit_stack_8, Free> jit_stack_;
  std::unique_ptr<pcre2_real_match_context_8, Free> context_;
  std::unique_ptr<pcre2_real_match_data_8, Free> data_;
  std::string_view text_;
  size_t pos_ = 0;        // start of the next piece
  size_t valid_end_ = 0;  // text_[valid_begin_, valid_end_) is well-formed; pos_ <= valid_end_
  size_t valid_begin_ = 0;
  size_t match_begin_ = 0;  // a match that lies ahead of pos_, behind unmatched text
  size_t match_end_ = 0;
};

// The end of the first block of at least `size` bytes of `text` (or text.size()) where cutting changes no
// piece of the known patterns: after a line break between two characters that are not white space. Where none
// comes within another `size` bytes the cut falls between two characters. Depends on the text alone, so that
// blocks are the same for any number of threads.
size_t block_end(std::string_view text, size_t size);

}  // namespace smallmind
