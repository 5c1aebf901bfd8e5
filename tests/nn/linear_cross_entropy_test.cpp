// The fused head and loss: equal to the composition, bits that depend on neither threads nor slices, memory
// far below that of the logits.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/random.h"
#include "kernels/dispatch.h"
#include "nn/ops.h"

namespace smallmind {
namespace {

std::vector<float> normal(Index n, std::uint64_t seed, float scale = 1.0f) {
  const RandomStream random(seed, 0, 3);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.normal(i) * scale;
  return x;
}

std::vector<std::int32_t> some_targets(Index n, Index vocab) {
  std::vector<std::int32_t> targets(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i)
    targets[static_cast<std::size_t>(i)] = i % 7 == 3 ? -1 : static_cast<std::int32_t>(i * 7919 % vocab);
  return targets;
}

struct Outcome {
  float loss = 0;
  std::vector<float> dh, dw;
  bool operator==(const Outcome&) const = default;
};

struct Problem {
  Index rows, width, vocab;
  std::vector<float> h = normal(rows * width, 1), w = normal(vocab * width, 2, 0.3f);
  std::vector<std::int32_t> targets = some_targets(rows, vocab);

  Param head(float* grad) const {
    return {.name = "head", .rows = vocab, .cols = width, .data = const_cast<float*>(w.data()), .grad = grad};
  }

  // dW starts at 1.
  Outcome train(bool fused, int threads, float dloss = 0.5f) const {
    ThreadPool pool(threads);
    Outcome outcome{0, {}, std::vector<float>(w.size(), 1.0f)};
    const auto run = [&](Exec& ex) {
      const Step step(ex);
      const Tensor x = ex.make(rows, width);
      if (!ex.measuring()) std::memcpy(x.data, h.data(), h.size() * sizeof(float));
      const Param weight = head(outcome.dw.data());
      const Tensor loss = fused ? linear_cross_entropy(ex, x, weight, targets).output()
                                : cross_entropy(ex, linear(ex, x, weight), targets);
      ex.backward(loss, &dloss);
      if (ex.measuring()) return;
      outcome.loss = loss.data[0];
      const Tensor dx = ex.incoming(x);
      outcome.dh.assign(dx.data, dx.data + dx.size());
    };
    Exec dry = Exec::measuring(pool, kernels(), true);
    run(dry);
    Exec ex(pool, kernels(), true, dry.memory());
    run(ex);
    return outcome;
  }

  float evaluate(int threads, Index first, Index count) const {
    ThreadPool pool(threads);
    float loss = 0;
    const auto run = [&](Exec& ex) {
      const Step step(ex);
      const Tensor x{const_cast<float*>(h.data()) + first * width, count, width, width, nullptr, 0};
      const Loss out = linear_cross_entropy(
          ex, x, head(nullptr),
          std::span(targets).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
      if (!ex.measuring()) loss = out.value();
    };
    Exec dry = Exec::measuring(pool, kernels(), false);
    run(dry);
    Exec ex(pool, kernels(), false, dry.memory());
    run(ex);
    return loss;
  }
};

void expect_near(const std::vector<float>& got, const std::vector<float>& expected, double tolerance) {
  double largest = 0, difference = 0;
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    const double gap = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    difference = gap <= difference ? difference : gap;  // a NaN stays
  }
  EXPECT_LE(difference, tolerance * largest);
}

// One block; several blocks; two slices; two slices of two turns.
const Problem kProblems[] = {{5, 8, 7}, {33, 40, 300}, {300, 40, 3000}, {450, 60, 5000}};

TEST(LinearCrossEntropy, EqualsTheComposition) {
  for (const Problem& p : kProblems) {
    SCOPED_TRACE(p.vocab);
    const Outcome fused = p.train(true, 1), composed = p.train(false, 1);
    EXPECT_NEAR(fused.loss, composed.loss, 2e-6f * composed.loss);
    expect_near(fused.dh, composed.dh, 1e-5);
    std::vector<float> dw = fused.dw, dw_composed = composed.dw;
    for (float& x : dw) x -= 1;  // what it held before
    for (float& x : dw_composed) x -= 1;
    expect_near(dw, dw_composed, 1e-4);
  }
}

TEST(LinearCrossEntropy, BitsDoNotDependOnTheNumberOfThreads) {
  for (const Problem& p : kProblems) {
    const Outcome one = p.train(true, 1);
    for (const int threads : {2, 3, 7}) EXPECT_TRUE(one == p.train(true, threads)) << threads;
    for (const int threads : {1, 3}) EXPECT_EQ(one.loss, p.evaluate(threads, 0, p.rows));
  }
}

TEST(LinearCrossEntropy, TheLossOfARowDoesNotDependOnTheOthers) {
  const Problem& p = kProblems[2];
  double sum = 0, count = 0;
  for (Index i = 0; i < p.rows; ++i) {
    sum += static_cast<double>(p.evaluate(1, i, 1));
    count += p.targets[static_cast<std::size_t>(i)] >= 0;
  }
  EXPECT_NEAR(sum / count, static_cast<double>(p.evaluate(2, 0, p.rows)), 1e-7 * sum / count);
}

// Heads or inputs that nothing trains cost no product and get no gradient.
TEST(LinearCrossEntropy, FrozenWeightsAndInputs) {
  const Problem& p = kProblems[1];
  const Outcome both = p.train(true, 1, 1.0f);
  ThreadPool pool(2);
  std::vector<float> dh, dw(p.w.size(), 1.0f);
  const auto run = [&](Exec& ex, bool frozen_head) {
    const Step step(ex);
    Tensor x = ex.make(p.rows, p.width);
    if (!ex.measuring()) std::memcpy(x.data, p.h.data(), p.h.size() * sizeof(float));
    if (!frozen_head) x.grad = nullptr;
    const Loss loss = linear_cross_entropy(ex, x, p.head(frozen_head ? nullptr : dw.data()), p.targets);
    EXPECT_THROW(loss.value(), Error);  // before backward, and in a dry run
    const float one = 1.0f;
    ex.backward(loss.output(), &one);
    if (ex.measuring()) return;
    EXPECT_EQ(loss.value(), both.loss);
    const Tensor dx = ex.incoming(x);
    if (frozen_head) dh.assign(dx.data, dx.data + dx.size());
  };
  for (const bool frozen_head : {true, false}) {
    Exec dry = Exec::measuring(pool, kernels(), true);
    run(dry, frozen_head);
    Exec ex(pool, kernels(), true, dry.memory());
    run(ex, frozen_head);
  }
  EXPECT_EQ(dh, both.dh);
  EXPECT_EQ(dw, both.dw);
}

TEST(LinearCrossEntropy, WithoutTargetsNothingHappens) {
  Problem p = kProblems[1];
  std::fill(p.targets.begin(), p.targets.end(), -1);
  const Outcome outcome = p.train(true, 2);
  EXPECT_EQ(outcome.loss, 0.0f);
  for (const float x : outcome.dh) ASSERT_EQ(x, 0.0f);
  for (const float x : outcome.dw) ASSERT_EQ(x, 1.0f);
  p.targets[3] = 300;
  EXPECT_THROW(p.train(true, 1), Error);
}

// GPT-2's vocabulary: what a step needs besides W and h, as the arenas measure it, against (N, V) logits.
TEST(LinearCrossEntropy, MemoryIsAFewRowsOfLogits) {
  constexpr Index kRows = 8192, kWidth = 768, kVocab = 50257;
  ThreadPool pool(2);
  const std::vector<std::int32_t> targets(kRows, 1);
  float unread = 0;
  for (const bool recording : {true, false}) {
    Exec ex = Exec::measuring(pool, kernels(), recording);
    const Step step(ex);
    Tensor h{nullptr, kRows, kWidth, kWidth, nullptr, 0};
    const Param head{.name = "head", .rows = kVocab, .cols = kWidth, .data = &unread, .grad = &unread};
    const Loss loss = linear_cross_entropy(ex, h, head, targets);
    if (recording) ex.backward(loss.output(), &unread);
    const auto logits = static_cast<double>(kRows * kVocab) * sizeof(float);
    EXPECT_LT(static_cast<double>(ex.memory().total()), recording ? 0.04 * logits : 0.004 * logits);
  }
}

}  // namespace
}  // namespace smallmind
