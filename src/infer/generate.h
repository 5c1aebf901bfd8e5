// Generation: a prompt in, a stream of text out.
//
// prefill -> (sample -> decode the token to text -> stop? -> forward) until a stop string, the end-of-text
// token, the most tokens, or a cancellation. Text leaves in whole UTF-8 characters and never holds a part of
// a stop string. Beyond the context the text goes on from its last context / 2 tokens, which are read again
// (once per context / 2 tokens: each further token costs one prompt token more); so a text can be longer
// than the context.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer/sampler.h"
#include "infer/session.h"
#include "text/stop_matcher.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace smallmind {

struct GenerateOptions {
  SamplingOptions sampling;
  std::int64_t max_tokens = 256;
  std::vector<std::string> stops{};  // not part of the text
  bool stop_at_end = true;           // at the tokenizer's and the model's end-of-text token
};

enum class FinishReason : std::uint8_t { length, end_of_text, stop_string, cancelled };
const char* finish_reason_name(FinishReason reason) noexcept;  // "length", "end_of_text", ...

struct GenerateResult {
  FinishReason reason = FinishReason::length;
  std::int64_t prompt_tokens = 0;     // that were read
  std::int64_t dropped_tokens = 0;    // of the prompt's beginning, where it was longer than the context
  std::int64_t generated_tokens = 0;  // the end-of-text token included
  double first_token_seconds = 0;     // TTFT: from the call to the first sampled token
  double decode_seconds = 0;          // for all tokens after the first

  double prompt_tokens_per_second() const noexcept;
  double decode_tokens_per_second() const noexcept;
};

struct GenerateCallbacks {
  std::function<void(std::string_view)> on_text{};  // gets each piece of text; never an empty one
  std::function<bool()> cancelled{};  // asked before every forward pass; true ends the generation
};

// Not thread-safe. After the prompt nothing allocates, on any thread, unless a callback does.
class Generator {
 public:
  // All must outlive it. Throws Error{usage} on options out of range.
  Generator(Session& session, const Tokenizer& tokenizer, const GenerateOptions& options, Index sequence = 0);

  // Forgets what the sequence held and generates. Throws Error{usage} for an empty prompt or tokens that the
  // model does not have, Error{bad_input} where the model's logits are not finite, and what on_text throws.
  GenerateResult generate(std::span<const std::int32_t> prompt, const GenerateCallbacks& callbacks = {});

  // The generated tokens of the last call.
  std::span<const std::int32_t> tokens() const noexcept { return std::span(tokens_).subspan(prompt_tokens_); }

 private:
  bool is_end(std::int32_t token) const noexcept;
  // Reads the last `count` tokens; nothing if cancelled.
  std::span<const float> read(std::size_t count, const GenerateCallbacks& callbacks);
  std::span<const float> next_logits(const GenerateCallbacks& callbacks);
  // Passes on what may be shown; false after a stop string.
  bool show(std::string_view text, const GenerateCallbacks& callbacks);

  Session& session_;
  const Tokenizer& tokenizer_;
  Index sequence_;
  std::int64_t max_tokens_;
  bool stop_at_end_;
  std::size_t choices_;  // tokens that both the model and the tokenizer have
  Sampler sampler_;
  StreamDecoder decoder_;
  StopMatcher matcher_;
  std::vector<std::int32_t> tokens_;  // the prompt, then what was generated
  std::size_t prompt_tokens_ = 0;
};

}  // namespace smallmind
