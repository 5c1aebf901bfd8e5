// Steps: the optimizer's formula, accumulation, any number of threads, no heap, and learning one batch by
// heart.
#include "train/step.h"

#include <cmath>

#include "base/random.h"
#include "kernels/dispatch.h"
#include "tests/support/alloc_guard.h"
#include "tests/train/train_fixture.h"

namespace smallmind {
namespace {

using TrainingSteps = TrainTest;

TEST_F(TrainingSteps, OptimizerFollowsTheFormula) {
  const auto model = small_model(small_config("gpt2", *tokenizer));
  AdamWSettings settings{.beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-6f, .weight_decay = 0.2f, .clip = 0.5f};
  AdamW optimizer(*model, settings);
  ThreadPool pool(2);
  const std::span<float> values = model->values(), gradients = model->gradients();
  std::vector<double> p(values.begin(), values.end()), m(p.size()), v(p.size());
  std::vector<bool> decays(p.size());
  std::size_t parameters = 0;
  model->visit([&](const Param& param) {
    const auto begin = static_cast<std::size_t>(param.data - values.data());
    parameters += static_cast<std::size_t>(param.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(param.size()); ++i)
      decays[begin + i] = param.is_matrix();
  });
  const double lr = 0.01, b1 = 0.8f, b2 = 0.95f;
  for (int t = 1; t <= 3; ++t) {
    double sum = 0;
    model->visit([&](Param& param) {
      for (std::int64_t i = 0; i < param.size(); ++i) {
        param.grad[i] = 0.01f * static_cast<float>((i * 7 + t * 3) % 11 - 5);
        sum += static_cast<double>(param.grad[i]) * static_cast<double>(param.grad[i]);
      }
    });
    const double norm = optimizer.gradient_norm(pool, kernels());
    EXPECT_NEAR(norm, std::sqrt(sum), 1e-6 * std::sqrt(sum));
    optimizer.update(pool, kernels(), static_cast<float>(lr), norm);
    const double scale = std::min(1.0, 0.5 / (std::sqrt(sum) + 1e-6));
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = scale * static_cast<double>(gradients[i]);
      if (decays[i]) p[i] *= 1 - lr * static_cast<double>(0.2f);
      m[i] = b1 * m[i] + (1 - b1) * g;
      v[i] = b2 * v[i] + (1 - b2) * g * g;
      p[i] -= lr / (1 - std::pow(b1, t)) * m[i] / (std::sqrt(v[i]) / std::sqrt(1 - std::pow(b2, t)) + 1e-6);
    }
    for (std::size_t i = 0; i < p.size(); ++i)
      ASSERT_NEAR(static_cast<double>(values[i]), p[i], 2e-6 + 1e-5 * std::abs(p[i])) << "element " << i;
  }
  EXPECT_EQ(optimizer.updates(), 3);
  EXPECT_GT(parameters, 1000u);
}

TEST_F(TrainingSteps, NormShowsWhatIsNotFinite) {
  const auto model = small_model(small_config("gpt2", *tokenizer));
  AdamW optimizer(*model, {});
  ThreadPool pool(2);
  for (const float bad : {std::nanf(""), INFINITY}) {
    optimizer.zero_gradients(pool);
    EXPECT_EQ(optimizer.gradient_norm(pool, kernels()), 0);
    model->gradients()[5] = bad;
    EXPECT_FALSE(std::isfinite(optimizer.gradient_norm(pool, kernels())));
  }
}

TEST_F(TrainingSteps, AccumulatedBatchesGiveTheMeanGradient) {
  const auto model = small_model(small_config("gpt2", *tokenizer));
  const DataLoader loader(*tokens, 16);
  ThreadPool pool(1);
  TrainSettings whole = settings(1);
  whole.batch = 6;
  whole.accumulate = 1;
  TrainSettings parts = whole;
  parts.batch = 2;
  parts.accumulate = 3;
  TrainingStep one(*model, whole, pool, measure_pass(*model, pool, 6, true));
  TrainingStep three(*model, parts, pool, measure_pass(*model, pool, 2, true));
  const StepOutcome a = one.gradients(loader, 4);
  const std::vector<float> expected(model->gradients().begin(), model->gradients().end());
  const StepOutcome b = three.gradients(loader, 4);
  EXPECT_NEAR(a.loss, b.loss, 1e-6);
  EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-5 * a.gradient_norm);
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(model->gradients()[i], expected[i], 1e-5f);
}

TEST_F(TrainingSteps, AnyNumberOfThreadsGivesTheSameBits) {
  for (const char* arch : {"gpt2", "llama"}) {
    const ModelConfig config = small_config(arch, *tokenizer, 0.1f);
    const Run one = train(std::string(arch) + "1", config, settings(6), 1);
    for (const int threads : {2, 3, 5}) {
      const Run other = train(arch + std::to_string(threads), config, settings(6), threads);
      EXPECT_EQ(one.losses, other.losses);
      EXPECT_EQ(one.result.val_loss, other.result.val_loss);
      EXPECT_TRUE(same_bits(one.model->values(), other.model->values()))
          << arch << " with " << threads << " threads";
    }
  }
}

TEST_F(TrainingSteps, TheSecondStepTouchesNoHeap) {
  if (!heap_is_counted()) GTEST_SKIP() << "skipped: a sanitizer owns malloc";
  for (const char* arch : {"gpt2", "llama"}) {
    const auto model = small_model(small_config(arch, *tokenizer, 0.1f));
    const DataLoader loader(*tokens, 16);
    ThreadPool pool(2);
    const TrainSettings s = settings(3);
    TrainingStep step(*model, s, pool, measure_pass(*model, pool, s.batch, true));
    TrainLog log(folder.path() / "log.jsonl", 0);
    for (int i = 0; i < 3; ++i) {
      const AllocGuard guard;
      const StepOutcome outcome = step.gradients(loader, i);
      step.update(1e-3);
      log.step({i, outcome.loss, 1e-3, outcome.gradient_norm, 1000, false});
      if (i > 0) {
        EXPECT_EQ(guard.count(), 0u) << arch << " step " << i;
      }
    }
  }
}

// Random targets. No window begins with the token of the other, or twice with one token: a model without
// learned positions could not tell those apart.
TEST_F(TrainingSteps, LearnsOneBatchByHeart) {
  for (const char* arch : {"gpt2", "llama"}) {
    const auto model = small_model(small_config(arch, *tokenizer));
    ThreadPool pool(2);
    TrainSettings s = settings(1);
    s.batch = 2;
    TrainingStep step(*model, s, pool, measure_pass(*model, pool, s.batch, true));
    std::vector<std::int32_t> inputs(32), targets(32);
    for (std::uint32_t i = 0; i < 32; ++i) {
      inputs[i] = static_cast<std::int32_t>((i * 5 + i / 16) % 19);
      targets[i] = static_cast<std::int32_t>(RandomStream(7, 0, 0).below(i, 19));
    }
    double loss = 1;
    for (int i = 0; i < 1500 && loss >= 0.01; ++i) {
      loss = step.gradients(inputs, targets).loss;
      step.update(5e-3);
    }
    EXPECT_LT(loss, 0.01) << arch;
  }
}

}  // namespace
}  // namespace smallmind
