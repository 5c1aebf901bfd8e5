// Presets, initialisation, saving and loading, and what decoding with a cache must equal.
#include "model/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "io/hf_config.h"
#include "io/safetensors_writer.h"
#include "kernels/dispatch.h"
#include "model/loader.h"
#include "model/presets.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

std::unique_ptr<Model> random_model(const char* arch, bool tied, std::uint64_t seed = 1) {
  ModelConfig config;
  config.arch = arch;
  config.vocab = 61;
  config.context = 48;
  config.width = 48;
  config.layers = 2;
  config.heads = 6;
  config.kv_heads = config.arch == "gpt2" ? 6 : 2;
  config.head_width = 8;
  config.ffn = 100;
  config.tied = tied;
  config.activation = config.arch == "gpt2" ? Activation::gelu_tanh : Activation::silu;
  std::unique_ptr<Model> model = make_model(config);
  model->allocate(false);
  model->initialise(seed);
  for (float& value : model->values()) value *= 4;  // far from the linear regime
  return model;
}

std::vector<std::int32_t> some_tokens(Index count, int salt) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i)
    tokens[static_cast<std::size_t>(i)] = static_cast<std::int32_t>((i * 37 + salt * 11 + i * i) % 61);
  return tokens;
}

// One forward pass of the batch; logits of all rows.
std::vector<float> logits_of(const Model& model, ThreadPool& pool, std::span<const std::int32_t> tokens,
                             std::span<const Segment> segments, KvCache& cache) {
  const TokenBatch batch{tokens, segments};
  std::vector<float> logits;
  const auto run = [&](Exec& ex) {
    const Step step(ex);
    const Tensor out = model.logits(ex, model.forward(ex, batch, &cache));
    if (!ex.measuring()) logits.assign(out.data, out.data + out.size());
  };
  Exec dry = Exec::measuring(pool, kernels(), false);
  run(dry);
  Exec ex(pool, kernels(), false, dry.memory());
  run(ex);
  return logits;
}

KvCache make_cache(const Model& model, Index sequences) {
  const ModelConfig& c = model.config();
  return KvCache(c.layers, sequences, c.context, c.kv_heads, c.head_width);
}

TEST(PresetTest, ParameterCountsAreTheReferences) {
  const std::pair<const char*, std::int64_t> expected[] = {
      {"tiny", 108'544}, {"small", 470'528}, {"medium", 3'454'464}, {"gpt2-124m", 124'439'808}};
  for (const auto& [name, count] : expected)
    EXPECT_EQ(make_model(preset(name))->parameter_count(), count) << name;
  for (const std::string_view name : preset_names())
    EXPECT_EQ(make_model(preset(name))->parameter_count(), preset(name).parameter_count()) << name;
  EXPECT_THROW(preset("huge"), Error);
}

TEST(ModelTest, UnknownArchitecturesAreRefused) {
  ModelConfig config = preset("tiny");
  config.arch = "rwkv";
  EXPECT_THROW(make_model(config), Error);
}

TEST(ModelTest, InitialisationIsAFunctionOfTheSeed) {
  const auto a = random_model("gpt2", true), b = random_model("gpt2", true),
             c = random_model("gpt2", true, 2);
  EXPECT_TRUE(std::equal(a->values().begin(), a->values().end(), b->values().begin()));
  EXPECT_FALSE(std::equal(a->values().begin(), a->values().end(), c->values().begin()));
}

// The two layouts of RoPE are one model whose rows of q and k are in another order.
TEST(ModelTest, InterleavedPairsAreHalvesInAnotherOrder) {
  const auto halves = random_model("llama", false);
  ModelConfig config = halves->config();
  config.rope_interleaved = true;
  const auto neighbours = make_model(config);
  neighbours->allocate(false);
  std::copy(halves->values().begin(), halves->values().end(), neighbours->values().begin());
  const Index width = config.head_width;
  neighbours->visit([width](Param& p) {
    if (p.name.find("attn_q.") == std::string::npos && p.name.find("attn_k.") == std::string::npos) return;
    const std::vector<float> old(p.data, p.data + p.size());
    for (Index row = 0; row < p.rows; ++row) {
      const Index in_head = row % width, from = row - in_head + in_head % 2 * (width / 2) + in_head / 2;
      std::copy_n(old.begin() + from * p.cols, p.cols, p.data + row * p.cols);
    }
  });
  ThreadPool pool(2);
  const std::vector<std::int32_t> tokens = some_tokens(40, 1);
  const Segment all{0, 40, 0, 0};
  KvCache first = make_cache(*halves, 1), second = make_cache(*neighbours, 1), third = make_cache(*halves, 1);
  const std::vector<float> expected = logits_of(*halves, pool, tokens, {&all, 1}, first);
  const std::vector<float> got = logits_of(*neighbours, pool, tokens, {&all, 1}, second);
  std::copy(halves->values().begin(), halves->values().end(), neighbours->values().begin());
  const std::vector<float> unordered = logits_of(*neighbours, pool, tokens, {&all, 1}, third);
  float worst = 0, worst_unordered = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(got[i] - expected[i]));
    worst_unordered = std::max(worst_unordered, std::abs(unordered[i] - expected[i]));
  }
  EXPECT_LE(worst, 2e-4f);
  EXPECT_GE(worst_unordered, 0.1f);
}

class CacheTest : public testing::TestWithParam<const char*> {};

TEST_P(CacheTest, PrefillEqualsSingleDecodes) {
  const auto model = random_model(GetParam(), false);
  ThreadPool pool(2);
  const std::vector<std::int32_t> tokens = some_tokens(40, 1);
  KvCache whole = make_cache(*model, 1), single = make_cache(*model, 1);
  const Segment all{0, 40, 0, 0};
  const std::vector<float> prefill = logits_of(*model, pool, tokens, {&all, 1}, whole);
  const Index vocab = model->config().vocab;
  for (Index i = 0; i < 40; ++i) {
    const Segment one{0, 1, i, 0};
    const std::vector<float> row =
        logits_of(*model, pool, {&tokens[static_cast<std::size_t>(i)], 1}, {&one, 1}, single);
    const float* expected = prefill.data() + i * vocab;
    for (Index j = 0; j < vocab; ++j)
      ASSERT_EQ(row[static_cast<std::size_t>(j)], expected[j]) << "position " << i;
  }
  EXPECT_EQ(single.length(0), 40);
}

// Rows of four sequences of unequal lengths, two prefilling and two decoding, against each sequence alone.
TEST_P(CacheTest, ABatchThatMixesPrefillAndDecodeGivesTheBitsOfEachSequenceAlone) {
  const auto model = random_model(GetParam(), true);
  const Index vocab = model->config().vocab;
  const Index before[4] = {0, 17, 5, 33}, rows[4] = {23, 1, 9, 1};
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    KvCache together = make_cache(*model, 4);
    std::vector<std::int32_t> tokens;
    std::vector<Segment> segments;
    std::vector<float> alone;
    for (Index s = 0; s < 4; ++s) {
      const std::vector<std::int32_t> text = some_tokens(before[s] + rows[s], static_cast<int>(s));
      KvCache own = make_cache(*model, 1);
      const std::span<const std::int32_t> prefix(text.data(), static_cast<std::size_t>(before[s]));
      if (before[s] > 0) {
        const Segment own_prefix{0, before[s], 0, 0}, shared_prefix{0, before[s], 0, s};
        logits_of(*model, pool, prefix, {&own_prefix, 1}, own);
        logits_of(*model, pool, prefix, {&shared_prefix, 1}, together);
      }
      const Segment last{0, rows[s], before[s], 0};
      const auto logits = logits_of(
          *model, pool, {text.data() + before[s], static_cast<std::size_t>(rows[s])}, {&last, 1}, own);
      alone.insert(alone.end(), logits.begin(), logits.end());
      segments.push_back({static_cast<Index>(tokens.size()), rows[s], before[s], s});
      tokens.insert(tokens.end(), text.begin() + before[s], text.end());
    }
    const std::vector<float> batch = logits_of(*model, pool, tokens, segments, together);
    ASSERT_EQ(batch.size(), static_cast<std::size_t>(34 * vocab));
    EXPECT_EQ(batch, alone) << threads << " threads";
  }
}

TEST_P(CacheTest, SavedAndLoadedModelsHaveTheSameBits) {
  const auto model = random_model(GetParam(), true);
  const TempFolder folder;  // of its own: the runs with other instruction sets may go on beside this one
  const std::filesystem::path& directory = folder.path();
  write_safetensors(directory / "model.safetensors", hf_tensors(*model));
  std::ofstream(directory / "config.json") << hf_config_json(model->config());
  const auto loaded = load_model(directory);
  EXPECT_TRUE(std::equal(model->values().begin(), model->values().end(), loaded->values().begin(),
                         loaded->values().end()));
}

INSTANTIATE_TEST_SUITE_P(Architectures, CacheTest, testing::Values("gpt2", "llama"),
                         [](const auto& arch) { return std::string(arch.param); });

TEST(ModelTest, RefusesTokensPositionsAndCachesThatDoNotFit) {
  const auto model = random_model("gpt2", true);
  ThreadPool pool(1);
  KvCache cache = make_cache(*model, 1);
  const std::vector<std::int32_t> bad = {61};
  const Segment first{0, 1, 0, 0}, late{0, 1, 3, 0};
  EXPECT_THROW(logits_of(*model, pool, bad, {&first, 1}, cache), Error);
  const std::vector<std::int32_t> good = {1};
  EXPECT_THROW(logits_of(*model, pool, good, {&late, 1}, cache), Error);
  const std::vector<std::int32_t> many = some_tokens(49, 0);
  const Segment long_segment{0, 49, 0, 0}, first_48{0, 48, 0, 0};
  EXPECT_THROW(logits_of(*model, pool, many, {&long_segment, 1}, cache), Error);
  Exec dry = Exec::measuring(pool, kernels(), false);
  EXPECT_NO_THROW(model->forward(dry, {std::span(many).first(48), {&first_48, 1}}, nullptr));
  EXPECT_THROW(model->forward(dry, {many, {&long_segment, 1}}, nullptr), Error) << "without a cache";
}

TEST(ModelTest, RecordingTogetherWithACacheIsAnError) {
  const auto model = random_model("llama", true);
  ThreadPool pool(1);
  KvCache cache = make_cache(*model, 1);
  const std::vector<std::int32_t> tokens = {1, 2};
  const Segment segment{0, 2, 0, 0};
  Exec dry = Exec::measuring(pool, kernels(), true);
  EXPECT_THROW(model->forward(dry, {tokens, {&segment, 1}}, &cache), Error);
}

}  // namespace
}  // namespace smallmind
