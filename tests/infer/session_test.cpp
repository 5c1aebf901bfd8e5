// Sessions: prefill equals decoding token by token, a row's bits do not depend on its batch or on the
// threads, and errors leave the cache as it was.
#include "infer/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "infer/packed_weights.h"
#include "tests/support/tiny_model.h"

namespace smallmind {
namespace {

std::vector<std::int32_t> some_tokens(std::size_t count, std::uint64_t seed) {
  std::vector<std::int32_t> tokens(count);
  const RandomStream random(seed, 0, 0);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<std::int32_t>(random.below(i, 61));
  return tokens;
}

std::vector<float> copy(std::span<const float> x) {
  return {x.begin(), x.end()};
}

std::vector<ModelConfig> configs() {
  return {tiny_config("gpt2"), tiny_config("gpt2", 4, false), tiny_config("llama"), tiny_config("llama", 2),
          tiny_config("llama", 1, false)};
}

TEST(Session, PrefillEqualsSingleDecodes) {
  ThreadPool pool(2);
  for (const ModelConfig& config : configs()) {
    const auto model = tiny_model(config);
    const PackedWeights packed(*model, pool);
    Session one(*model, pool), other(*model, pool);
    const auto tokens = some_tokens(48, 1);
    for (std::size_t n = 1; n <= 48; ++n) {
      const auto stepped = copy(one.decode(tokens[n - 1]));
      other.reset();
      const auto whole = other.prefill(std::span(tokens).first(n));
      float largest = 0, difference = 0;
      for (std::size_t i = 0; i < whole.size(); ++i) {
        largest = std::max(largest, std::abs(whole[i]));
        difference = std::max(difference, std::abs(whole[i] - stepped[i]));
      }
      ASSERT_GT(largest, 0.1f);
      ASSERT_LE(difference, 1e-5f * largest) << config.arch << " " << config.kv_heads << " " << n;
    }
  }
}

// What each of four sequences appends in each of five passes: prompts and single rows mix.
constexpr std::size_t kPlan[4][5] = {{17, 0, 1, 1, 9}, {3, 1, 1, 0, 20}, {0, 40, 1, 1, 1}, {1, 1, 1, 1, 1}};

void check_batched_against_alone(const Model& model, ThreadPool& pool, ThreadPool& single) {
  Session batch(model, pool, {.sequences = 4}), alone(model, single);
  std::vector<std::vector<std::int32_t>> texts;
  for (std::size_t s = 0; s < 4; ++s) texts.push_back(some_tokens(48, s + 10));
  std::vector<std::size_t> lengths(4);
  for (std::size_t pass = 0; pass < 5; ++pass) {
    std::vector<SessionInput> inputs;
    for (std::size_t s = 0; s < 4; ++s) {
      if (kPlan[s][pass] == 0) continue;
      inputs.push_back({static_cast<Index>(s), std::span(texts[s]).subspan(lengths[s], kPlan[s][pass])});
      lengths[s] += kPlan[s][pass];
    }
    const auto logits = copy(batch.forward(inputs));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto s = static_cast<std::size_t>(inputs[i].sequence);
      alone.reset();
      const auto expected = alone.prefill(std::span(texts[s]).first(lengths[s]));
      const float* found = logits.data() + i * expected.size();
      ASSERT_EQ(std::memcmp(found, expected.data(), expected.size_bytes()), 0)
          << model.config().arch << " pass " << pass << " sequence " << s;
    }
  }
}

TEST(Session, BatchedEqualsAloneBitForBit) {
  ThreadPool pool(2), single(1);
  for (const ModelConfig& config : configs()) {
    const auto model = tiny_model(config);
    check_batched_against_alone(*model, pool, single);
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
      const PackedWeights packed(*model, pool, type);
      check_batched_against_alone(*model, pool, single);
    }
  }
}

TEST(Session, PackingChangesNoBit) {
  ThreadPool pool(1);
  const auto model = tiny_model(tiny_config("gpt2"));
  const auto tokens = some_tokens(40, 3);
  const auto plain = copy(Session(*model, pool).prefill(tokens));
  const PackedWeights packed(*model, pool);
  EXPECT_EQ(copy(Session(*model, pool).prefill(tokens)), plain);
  EXPECT_THROW(PackedWeights(*model, pool), Error);
}

TEST(Session, RoundedWeightsGiveAlmostTheSameLogits) {
  ThreadPool pool(1);
  for (const char* arch : {"gpt2", "llama"}) {
    const auto model = tiny_model(tiny_config(arch));
    const auto tokens = some_tokens(40, 3);
    const auto exact = copy(Session(*model, pool).prefill(tokens));
    for (const DType type : {DType::f16, DType::bf16}) {
      const PackedWeights packed(*model, pool, type);
      const auto rounded = copy(Session(*model, pool).prefill(tokens));
      float largest = 0, difference = 0;
      for (std::size_t i = 0; i < exact.size(); ++i) {
        largest = std::max(largest, std::abs(exact[i]));
        difference = std::max(difference, std::abs(rounded[i] - exact[i]));
      }
      EXPECT_GT(difference, 0);
      EXPECT_LT(difference, (type == DType::f16 ? 2e-3f : 2e-2f) * largest) << arch << dtype_name(type);
    }
  }
}

TEST(Session, LongPromptsGoInPieces) {
  ThreadPool pool(1);
  const auto model = tiny_model(tiny_config("llama", 2));
  Session whole(*model, pool), pieces(*model, pool, {.batch_rows = 7});
  const auto tokens = some_tokens(40, 3);
  EXPECT_EQ(copy(pieces.prefill(tokens)), copy(whole.prefill(tokens)));
}

TEST(Session, TruncateGoesBack) {
  ThreadPool pool(1);
  const auto model = tiny_model(tiny_config("gpt2"));
  Session session(*model, pool);
  const auto tokens = some_tokens(30, 4);
  const auto expected = copy(session.prefill(tokens));
  session.truncate(10);
  session.prefill(some_tokens(8, 5));
  session.truncate(10);
  EXPECT_EQ(copy(session.prefill(std::span(tokens).subspan(10))), expected);
}

TEST(Session, ErrorsLeaveTheCacheAsItWas) {
  ThreadPool pool(1);
  const auto model = tiny_model(tiny_config("gpt2"));
  Session session(*model, pool, {.sequences = 2, .context = 20, .batch_rows = 16});
  const auto tokens = some_tokens(30, 6);
  session.prefill(std::span(tokens).first(18));
  const std::int32_t wrong = 61, right = 3;
  const std::vector<std::vector<SessionInput>> refused = {
      {},
      {{0, std::span(tokens).first(3)}},  // beyond the context
      {{0, {&wrong, 1}}},                 // no such token
      {{2, {&right, 1}}},                 // no such sequence
      {{0, {&right, 1}}, {0, {&right, 1}}},
      {{1, {}}},
      {{1, std::span(tokens).first(17)}},  // beyond the batch
  };
  for (const std::vector<SessionInput>& inputs : refused) {
    EXPECT_THROW(session.forward(inputs), Error);
    EXPECT_EQ(session.length(0), 18);
    EXPECT_EQ(session.length(1), 0);
  }
  EXPECT_THROW(session.prefill(std::span(tokens).first(3)), Error);
  EXPECT_THROW(session.prefill({}), Error);
  EXPECT_THROW(Session(*model, pool, {.context = 49}), Error);
  EXPECT_THROW(Session(*model, pool, {.sequences = 0}), Error);
  Session fresh(*model, pool);
  const auto expected = copy(fresh.prefill(std::span(tokens).first(19)));
  EXPECT_EQ(copy(session.decode(tokens[18])), expected);
}

}  // namespace
}  // namespace smallmind
