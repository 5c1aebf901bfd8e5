// PCRE2 behind two small classes. The text is validated here once, so matching runs with NO_UTF_CHECK: with
// the check each of n matches would look at the whole rest of the text.
#include "text/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "base/error.h"
#include "text/utf8.h"

namespace smallmind {
namespace {

// One match may backtrack over a run of white space of any length once, which is no more than a few units of
// the limit in either engine; a pattern with nested repeats reaches 20 million units after a second or so.
constexpr uint32_t kMatchLimit = 20'000'000;
constexpr uint32_t kHeapLimitKiB = 64 * 1024;
constexpr size_t kJitStackBytes = 1024 * 1024;

// Unicode's White_Space, to stand inside a character class.
constexpr std::string_view kWhiteSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// Replaces \s and \S by explicit classes; inside a class \S stays PCRE2's.
std::string with_unicode_white_space(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's') {
        out += in_class ? std::string(kWhiteSpace) : fmt::format("[{}]", kWhiteSpace);
      } else if (escaped == 'S' && !in_class) {
        out += fmt::format("[^{}]", kWhiteSpace);
      } else {
        out += c;
        out += escaped;
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

std::string error_text(int code) {
  char text[256];
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof(text));
  return text;
}

}  // namespace

void Pretokenizer::Free::operator()(pcre2_real_code_8* code) const noexcept {
  pcre2_code_free(code);
}
void PieceScanner::Free::operator()(pcre2_real_match_context_8* context) const noexcept {
  pcre2_match_context_free(context);
}
void PieceScanner::Free::operator()(pcre2_real_match_data_8* data) const noexcept {
  pcre2_match_data_free(data);
}
void PieceScanner::Free::operator()(pcre2_real_jit_stack_8* stack) const noexcept {
  pcre2_jit_stack_free(stack);
}

Pretokenizer::Pretokenizer(std::string_view pattern) : pattern_(pattern) {
  if (pattern_.empty()) return;
  constexpr size_t kLongestPattern = 8192;
  if (pattern_.size() > kLongestPattern) {
    fail_input("[pretokenizer] a pattern of at most {} bytes expected, {} found", kLongestPattern,
               pattern_.size());
  }
  const std::string translated = with_unicode_white_space(pattern_);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr));
  if (!code_)
    fail_input("[pretokenizer] a regular expression expected, {} (\"{}\")", error_text(error), pattern_);
  // Without JIT (no executable memory, another CPU) pcre2_match interprets the same code, some ten times
  // slower.
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
}

PieceScanner::PieceScanner(const Pretokenizer& pretokenizer) : pretokenizer_(pretokenizer) {
  if (!pretokenizer.code_) return;
  context_.reset(pcre2_match_context_create(nullptr));
  data_.reset(pcre2_match_data_create(1, nullptr));
  SM_CHECK(context_ && data_, "[pretokenizer] memory for a match expected, none left");
  pcre2_set_match_limit(context_.get(), kMatchLimit);
  pcre2_set_heap_limit(context_.get(), kHeapLimitKiB);
  jit_stack_.reset(pcre2_jit_stack_create(32 * 1024, kJitStackBytes, nullptr));
  if (jit_stack_) pcre2_jit_stack_assign(context_.get(), nullptr, jit_stack_.get());
}

void PieceScanner::start(std::string_view text) {
  text_ = text;
  pos_ = valid_begin_ = valid_end_ = match_begin_ = match_end_ = 0;
}

std::string_view PieceScanner::take(size_t end) {
  const std::string_view piece = text_.substr(pos_, end - pos_);
  pos_ = end;
  return piece;
}

bool PieceScanner::next(std::string_view& piece) {
  if (pos_ == text_.size()) return false;
  if (!pretokenizer_.code_) {
    piece = take(text_.size());
    return true;
  }
  if (pos_ == valid_end_) {
    size_t end = pos_;
    while (end < text_.size()) {
      const Utf8Char c = decode_utf8(text_, end);
      if (c.status == Utf8Status::valid) break;
      end += c.length;
    }
    valid_begin_ = match_begin_ = match_end_ = end;
    valid_end_ = end + valid_utf8_prefix(text_.substr(end));
    if (end > pos_) {
      piece = take(end);
      return true;
    }
  }
  if (match_end_ <= pos_ && !match()) match_begin_ = match_end_ = valid_end_;
  piece = take(pos_ < match_begin_ ? match_begin_ : match_end_);
  return true;
}

// Finds the next match that is not empty at or after pos_.
bool PieceScanner::match() {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text_.data() + valid_begin_);
  const size_t length = valid_end_ - valid_begin_;
  uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
  int result = pcre2_match(pretokenizer_.code_.get(), subject, length, pos_ - valid_begin_, options,
                           data_.get(), context_.get());
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
    options |= PCRE2_NO_JIT;
    result = pcre2_match(pretokenizer_.code_.get(), subject, length, pos_ - valid_begin_, options,
                         data_.get(), context_.get());
  }
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) {
    fail_input(
        "[pretokenizer] a pattern with little backtracking expected, {} (byte {} of the text, pattern "
        "\"{}\")",
        error_text(result), pos_, pretokenizer_.pattern());
  }
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data_.get());
  match_begin_ = valid_begin_ + std::max(offsets[0], pos_ - valid_begin_);  // \K can move the start
  match_end_ = valid_begin_ + offsets[1];
  return match_end_ > match_begin_;
}

size_t block_end(std::string_view text, size_t size) {
  if (text.size() <= size) return text.size();
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  const auto is_solid = [&](char c) {
    return is_ascii(c) && !is_space(c);
  };  // surely not Unicode white space
  const size_t limit = std::min(text.size() - 1, 2 * size);
  for (size_t at = text.find('\n', std::max<size_t>(size, 1)); at < limit; at = text.find('\n', at + 1)) {
    if (is_solid(text[at - 1]) && is_solid(text[at + 1])) return at + 1;
  }
  size_t end = std::min(text.size(), 2 * size);
  for (int back = 0; back < 3 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80;
       ++back) {
    --end;  // continuation byte
  }
  return end;
}

}  // namespace smallmind
