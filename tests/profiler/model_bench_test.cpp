// The benchmark's frame: which tests it runs and what each result says. Speeds are not judged here.
#include "profiler/model_bench.h"

#include <gtest/gtest.h>

#include "model/presets.h"

namespace smallmind {
namespace {

TEST(ModelBenchTest, RunsEveryTestWithOneAndAllThreads) {
  const std::unique_ptr<Model> model = make_model(preset("tiny"));
  model->allocate(true);
  model->initialise(1);
  ModelBenchOptions options = reference_bench("tiny", model->config());
  options.train_batch = 2;
  options.seconds = 0.001;
  options.least_repeats = 2;
  const std::vector<BenchResult> results = run_model_bench(*model, 2, options);
  ASSERT_EQ(results.size(), 8u);
  const std::pair<const char*, const char*> expected[] = {
      {"pp32", "kv_cache"}, {"tg32", "kv_cache"}, {"tg32", "full_recompute"}, {"train_step", "-"}};
  for (std::size_t i = 0; i < results.size(); ++i) {
    const BenchResult& r = results[i];
    EXPECT_EQ(r.test, expected[i % 4].first);
    EXPECT_EQ(r.mode, expected[i % 4].second);
    EXPECT_EQ(r.threads, i < 4 ? 1 : 2);
    EXPECT_GE(r.repeats, 2);
    EXPECT_GT(r.tokens_per_second, 0);
    EXPECT_GT(r.cold_tokens_per_second, 0);
    EXPECT_GT(r.roofline_share, 0);
    EXPECT_EQ(r.heap_allocations_per_token, -1) << "nothing counts here";
  }
}

TEST(ModelBenchTest, RefusesLengthsThatTheModelDoesNotHave) {
  const std::unique_ptr<Model> model = make_model(preset("tiny"));
  model->allocate(false);
  EXPECT_THROW(run_model_bench(*model, 1, {.prompt_tokens = 33, .decode_tokens = 1}), Error);
  EXPECT_THROW(run_model_bench(*model, 1, {.prompt_tokens = 1, .decode_tokens = 33}), Error);
}

TEST(ModelBenchTest, ReferenceTestsAreThoseOfTheReferenceFigures) {
  const ModelBenchOptions small = reference_bench("small", preset("small"));
  EXPECT_EQ(small.prompt_tokens, 64);
  EXPECT_EQ(small.decode_tokens, 50);
  EXPECT_EQ(small.train_batch, 32);
  const ModelBenchOptions medium = reference_bench("medium", preset("medium"));
  EXPECT_EQ(medium.prompt_tokens, 128);
  EXPECT_EQ(medium.decode_tokens, 100);
  const ModelBenchOptions other = reference_bench("gpt2-124m", preset("gpt2-124m"));
  EXPECT_EQ(other.prompt_tokens, 512);
  EXPECT_EQ(other.decode_tokens, 128);
}

}  // namespace
}  // namespace smallmind
