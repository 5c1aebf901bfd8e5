// Generation end to end on an untrained model: the same bytes for any number of threads, stops, the end of
// text, contexts that are too short, cancellation, and no allocation per token.
#include "infer/generate.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "infer/packed_weights.h"
#include "tests/support/alloc_guard.h"
#include "tests/support/tiny_model.h"
#include "text/char_tokenizer.h"
#include "text/utf8.h"

namespace smallmind {
namespace {

// 60 characters, some of two and three bytes; with the end of text, the 61 tokens of tiny_config.
std::unique_ptr<CharTokenizer> tokenizer() {
  std::string text;
  for (char32_t c = 'A'; c < 'A' + 40; ++c) append_utf8(text, c);
  for (char32_t c = 0x3b1; c < 0x3b1 + 10; ++c) append_utf8(text, c);
  for (char32_t c = 0x4e00; c < 0x4e00 + 10; ++c) append_utf8(text, c);
  return CharTokenizer::from_text(text);
}

struct Written {
  GenerateResult result;
  std::string text;
  std::vector<std::int32_t> tokens;
};

class Generate : public ::testing::Test {
 protected:
  Written run(const GenerateOptions& options, std::string_view prompt = "HELLO", int threads = 1,
              const SessionOptions& session_options = {}) {
    ThreadPool pool(threads);
    const PackedWeights packed(*model_, pool);
    Session session(*model_, pool, session_options);
    Generator generator(session, *tokenizer_, options);
    Written written;
    const auto on_text = [&](std::string_view piece) {
      EXPECT_FALSE(piece.empty());
      EXPECT_EQ(valid_utf8_prefix(piece), piece.size());
      written.text += piece;
    };
    written.result = generator.generate(tokenizer_->encode(prompt), {.on_text = on_text, .cancelled = {}});
    written.tokens.assign(generator.tokens().begin(), generator.tokens().end());
    return written;
  }

  std::unique_ptr<CharTokenizer> tokenizer_ = tokenizer();
  std::unique_ptr<Model> model_ = tiny_model(tiny_config("llama", 2));
};

TEST_F(Generate, SameBytesAgainAndWithAnyNumberOfThreads) {
  ASSERT_EQ(tokenizer_->vocab_size(), 61);
  const GenerateOptions options{.sampling = {.temperature = 0.9f, .top_k = 30, .top_p = 0.95f, .seed = 7},
                                .max_tokens = 150,
                                .stops = {},
                                .stop_at_end = false};
  const Written first = run(options);
  EXPECT_EQ(first.result.generated_tokens, 150);
  EXPECT_EQ(first.result.reason, FinishReason::length);
  EXPECT_EQ(first.result.prompt_tokens, 5);
  EXPECT_EQ(first.text, tokenizer_->decode(first.tokens));
  for (const int threads : {1, 2, 3}) EXPECT_EQ(run(options, "HELLO", threads).text, first.text);
  EXPECT_EQ(run(options, "HELLO", 1, {.batch_rows = 3}).text, first.text);
  GenerateOptions other = options;
  other.sampling.seed = 8;
  EXPECT_NE(run(other).text, first.text);
}

TEST_F(Generate, StopStringsEndTheTextBeforeThem) {
  GenerateOptions options{.sampling = {.seed = 3}, .max_tokens = 100, .stops = {}, .stop_at_end = false};
  const std::string text = run(options).text;
  std::size_t begin = 0;  // a stop string of three characters from the middle of the text
  for (int i = 0; i < 30; ++i) begin += decode_utf8(text, begin).length;
  std::size_t end = begin;
  for (int i = 0; i < 3; ++i) end += decode_utf8(text, end).length;
  options.stops = {"never this one", text.substr(begin, end - begin)};
  const Written stopped = run(options);
  EXPECT_EQ(stopped.result.reason, FinishReason::stop_string);
  EXPECT_EQ(stopped.text, text.substr(0, text.find(options.stops[1])));
}

TEST_F(Generate, EndOfTextEnds) {
  GenerateOptions options{.sampling = {.seed = 5}, .max_tokens = 2000, .stops = {}, .stop_at_end = true};
  const Written r = run(options);
  ASSERT_EQ(r.result.reason, FinishReason::end_of_text);
  EXPECT_EQ(r.tokens.back(), tokenizer_->eos_id());
  EXPECT_EQ(r.text, tokenizer_->decode(r.tokens));
  options.stop_at_end = false;
  EXPECT_EQ(run(options).tokens.size(), 2000u);
}

// Beyond the context the text goes on from its last half, as a fresh session would.
TEST_F(Generate, GoesOnBeyondTheContext) {
  GenerateOptions options{
      .sampling = {.temperature = 0}, .max_tokens = 70, .stops = {}, .stop_at_end = false};
  const Written r = run(options, "HELLO", 1, {.context = 32});
  ASSERT_EQ(r.tokens.size(), 70u);
  // The 28th token is chosen from 32 positions; the 29th from the last 16 of those 33.
  auto seen = tokenizer_->encode("HELLO");
  seen.insert(seen.end(), r.tokens.begin(), r.tokens.begin() + 28);
  ThreadPool pool(1);
  Session session(*model_, pool);
  const auto logits = session.prefill(std::span(seen).last(16));
  EXPECT_EQ(Sampler({.temperature = 0}, 61).sample(logits, seen, 5), r.tokens[28]);

  const std::string prompt(100, 'A');
  options.max_tokens = 3;
  const Written cut = run(options, prompt);
  EXPECT_EQ(cut.result.prompt_tokens, 24);
  EXPECT_EQ(cut.result.dropped_tokens, 76);
}

TEST_F(Generate, Cancellation) {
  ThreadPool pool(1);
  Session session(*model_, pool);
  Generator generator(session, *tokenizer_,
                      {.sampling = {}, .max_tokens = 100, .stops = {}, .stop_at_end = false});
  int asked = 0;
  const auto prompt = tokenizer_->encode("HELLO");
  const auto result = generator.generate(prompt, {.on_text = {}, .cancelled = [&] { return ++asked > 10; }});
  EXPECT_EQ(result.reason, FinishReason::cancelled);
  EXPECT_EQ(result.generated_tokens, 10);
  const auto at_once = generator.generate(prompt, {.on_text = {}, .cancelled = [] { return true; }});
  EXPECT_EQ(at_once.generated_tokens, 0);
  EXPECT_TRUE(generator.tokens().empty());
}

TEST_F(Generate, RefusesWhatHasNoMeaning) {
  ThreadPool pool(1);
  Session session(*model_, pool);
  GenerateOptions none, empty_stop;
  none.max_tokens = 0;
  empty_stop.stops = {""};
  EXPECT_THROW(Generator(session, *tokenizer_, none), Error);
  EXPECT_THROW(Generator(session, *tokenizer_, empty_stop), Error);
  Generator generator(session, *tokenizer_, {});
  EXPECT_THROW(generator.generate({}), Error);
  const std::int32_t wrong = 61;
  EXPECT_THROW(generator.generate({&wrong, 1}), Error);
}

// The count from the tenth token to the last, both contexts of 48 filled on the way.
std::uint64_t allocations_of_decoding(const Model& model, const Tokenizer& tokenizer, int threads) {
  ThreadPool pool(threads);
  Session session(model, pool);
  const SamplingOptions sampling{.temperature = 0.8f,
                                 .top_k = 40,
                                 .top_p = 0.9f,
                                 .min_p = 0.01f,
                                 .repetition_penalty = 1.1f,
                                 .presence_penalty = 0.1f,
                                 .frequency_penalty = 0.1f};
  Generator generator(
      session, tokenizer,
      {.sampling = sampling, .max_tokens = 130, .stops = {"a stop", "another"}, .stop_at_end = false});
  int asked = 0;
  std::uint64_t after_warm_up = 0, at_end = 0;
  const auto cancelled = [&] {
    if (++asked == 10) after_warm_up = heap_allocations();
    at_end = heap_allocations();
    return false;
  };
  generator.generate(tokenizer.encode("HELLO"), {.on_text = [](std::string_view) {}, .cancelled = cancelled});
  EXPECT_GE(asked, 120);
  return at_end - after_warm_up;
}

TEST_F(Generate, AllocatesNothingPerToken) {
  if (!heap_is_counted()) GTEST_SKIP() << "skipped: a sanitizer owns malloc";
  for (const char* arch : {"gpt2", "llama"}) {
    const auto model = tiny_model(tiny_config(arch));
    for (const int threads : {1, 2}) {
      EXPECT_EQ(allocations_of_decoding(*model, *tokenizer_, threads), 0u) << arch << " " << threads;
    }
  }
}

}  // namespace
}  // namespace smallmind
