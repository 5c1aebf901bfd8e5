// The loop of generation; see generate.h.
#include "infer/generate.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/zone.h"

namespace smallmind {
namespace {

constexpr std::int64_t kMostReserved = std::int64_t{1}
                                       << 20;  // tokens; a longer text grows its list now and then

using Clock = std::chrono::steady_clock;
double seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

std::size_t common_tokens(const Session& session, const Tokenizer& tokenizer) {
  return static_cast<std::size_t>(
      std::min(session.model().config().vocab, std::int64_t{tokenizer.vocab_size()}));
}

}  // namespace

const char* finish_reason_name(FinishReason reason) noexcept {
  constexpr const char* kNames[] = {"length", "end_of_text", "stop_string", "cancelled"};
  return kNames[static_cast<int>(reason)];
}

double GenerateResult::prompt_tokens_per_second() const noexcept {
  return first_token_seconds > 0 ? static_cast<double>(prompt_tokens) / first_token_seconds : 0;
}

double GenerateResult::decode_tokens_per_second() const noexcept {
  return decode_seconds > 0 ? static_cast<double>(generated_tokens - 1) / decode_seconds : 0;
}

Generator::Generator(Session& session, const Tokenizer& tokenizer, const GenerateOptions& options,
                     Index sequence)
    : session_(session),
      tokenizer_(tokenizer),
      sequence_(sequence),
      max_tokens_(options.max_tokens),
      stop_at_end_(options.stop_at_end),
      choices_(common_tokens(session, tokenizer)),
      sampler_(options.sampling, static_cast<std::int64_t>(choices_)),
      decoder_(tokenizer),
      // A byte that is no character becomes the 3 bytes of U+FFFD.
      matcher_(options.stops, 3 * tokenizer.longest_token_bytes() + 16) {
  if (max_tokens_ < 1) fail_usage("[generate] at least 1 token expected, {} asked for", max_tokens_);
}

bool Generator::is_end(std::int32_t token) const noexcept {
  return stop_at_end_ && (token == session_.model().config().eos || token == tokenizer_.eos_id());
}

std::span<const float> Generator::read(std::size_t count, const GenerateCallbacks& callbacks) {
  std::span<const std::int32_t> tokens = std::span(tokens_).last(count);
  std::span<const float> logits;
  while (!tokens.empty()) {
    if (callbacks.cancelled && callbacks.cancelled()) return {};
    const auto piece = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(session_.batch_rows())));
    logits = session_.prefill(piece, sequence_);
    tokens = tokens.subspan(piece.size());
  }
  return logits;
}

// The logits after the last of tokens_, of which the session has all but the last; or, where it is full, half
// a context anew.
std::span<const float> Generator::next_logits(const GenerateCallbacks& callbacks) {
  if (session_.length(sequence_) < session_.context()) return read(1, callbacks);
  session_.reset(sequence_);
  return read(static_cast<std::size_t>(std::max<Index>(1, session_.context() / 2)), callbacks);
}

bool Generator::show(std::string_view text, const GenerateCallbacks& callbacks) {
  const std::string_view visible = matcher_.push(text);
  if (!visible.empty() && callbacks.on_text) callbacks.on_text(visible);
  return !matcher_.stopped();
}

GenerateResult Generator::generate(std::span<const std::int32_t> prompt, const GenerateCallbacks& callbacks) {
  if (prompt.empty()) fail_usage("[generate] a prompt of at least 1 token expected, none given");
  const Clock::time_point start = Clock::now();
  GenerateResult result;
  prompt_tokens_ = prompt.size();
  tokens_.reserve(prompt.size() + static_cast<std::size_t>(std::min(max_tokens_, kMostReserved)));
  tokens_.assign(prompt.begin(), prompt.end());
  session_.reset(sequence_);
  decoder_.finish();
  matcher_.finish();

  const auto context = static_cast<std::size_t>(session_.context());
  const std::size_t kept = prompt.size() <= context ? prompt.size() : std::max<std::size_t>(1, context / 2);
  result.prompt_tokens = static_cast<std::int64_t>(kept);
  result.dropped_tokens = static_cast<std::int64_t>(prompt.size() - kept);
  std::span<const float> logits = read(kept, callbacks);
  Clock::time_point first = start;
  while (true) {
    if (logits.empty()) {
      result.reason = FinishReason::cancelled;
      break;
    }
    {
      const Zone zone("sample", {.phase = Phase::sample});
      tokens_.push_back(sampler_.sample(logits.first(choices_), tokens_, prompt_tokens_));
    }
    if (++result.generated_tokens == 1) {
      first = Clock::now();
      result.first_token_seconds = seconds(first - start);
    }
    const std::int32_t token = tokens_.back();
    if (is_end(token)) {
      result.reason = FinishReason::end_of_text;
      break;
    }
    if (!show(decoder_.push(token), callbacks)) {
      result.reason = FinishReason::stop_string;
      break;
    }
    if (result.generated_tokens == max_tokens_) break;
    logits = next_logits(callbacks);
  }
  if (result.generated_tokens > 0) result.decode_seconds = seconds(Clock::now() - first);
  if (!matcher_.stopped() && !show(decoder_.finish(), callbacks)) result.reason = FinishReason::stop_string;
  const std::string_view rest = matcher_.finish();
  if (!rest.empty() && callbacks.on_text) callbacks.on_text(rest);
  return result;
}

}  // namespace smallmind
