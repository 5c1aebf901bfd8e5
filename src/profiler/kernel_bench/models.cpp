// Whole models as rows: training steps, prompts and decoding of the reference models, by model_bench. Their
// share is the least possible time over the time taken, with FLOPs or bytes binding.
#include <fmt/format.h>

#include "model/presets.h"
#include "profiler/kernel_bench/spec.h"
#include "profiler/model_bench.h"

namespace smallmind {
namespace {

constexpr int kAttempts = 4;

KernelResult as_row(const BenchResult& bench) {
  KernelResult result;
  result.value = bench.tokens_per_second;
  result.unit = "tokens/s";
  result.roof = "model";
  result.roofline_share = bench.roofline_share;
  result.spread = bench.spread;
  return result;
}

// Runs a test until nobody disturbs it, at most kAttempts times.
template <class Test>
KernelResult undisturbed(Test test) {
  KernelResult result;
  for (int i = 0; i < kAttempts; ++i) {
    const ForeignCpu foreign;
    result = as_row(test());
    result.disturbed = foreign.disturbed();
    if (!result.disturbed) break;
  }
  return result;
}

KernelSpec training_spec(std::string name, const ModelConfig& config, Index batch) {
  return {{"training"},
          "train step",
          std::move(name),
          fmt::format("B{} T{}", batch, config.context),
          {},
          0,
          {},
          [=](const BenchContext& context) {
            const std::unique_ptr<Model> model = make_model(config);
            model->allocate(true);
            model->initialise(1);
            ModelBenchOptions options;
            options.train_batch = batch;
            options.seconds = context.seconds;
            return undisturbed([&] { return bench_training(*model, context.pool, options); });
          }};
}

// A prompt, or decoding from an empty cache, without sampling.
KernelSpec inference_spec(const char* name, bool decode, std::vector<std::string> targets) {
  const ModelConfig config = preset(name);
  const ModelBenchOptions reference = reference_bench(name, config);
  const Index tokens = decode ? reference.decode_tokens : reference.prompt_tokens;
  return {
      {"models"},
      decode ? "decode" : "prompt",
      name,
      fmt::format("{} tokens", tokens),
      std::move(targets),
      0,
      {},
      [=](const BenchContext& context) {
        const std::unique_ptr<Model> model = make_model(config);
        model->allocate(false);
        model->initialise(1);
        ModelBenchOptions options;
        options.prompt_tokens = decode ? 1 : tokens;
        options.decode_tokens = decode ? tokens : 1;
        options.seconds = context.seconds;
        options.full_recompute = false;
        return undisturbed([&] { return bench_inference(*model, context.pool, options)[decode ? 1 : 0]; });
      }};
}

// nanoGPT's recipe for a CPU: four layers on the 65 characters of Shakespeare.
ModelConfig character_model() {
  ModelConfig config = preset("small");
  config.vocab = 65;
  config.layers = 4;
  return config;
}

}  // namespace

std::vector<KernelSpec> model_specs() {
  std::vector<KernelSpec> list;
  list.push_back(training_spec("small", preset("small"), 32));
  list.push_back(training_spec("medium", preset("medium"), 16));
  list.push_back(training_spec("characters", character_model(), 12));
  list.push_back(inference_spec("small", false, {}));
  list.push_back(inference_spec("small", true, {"decode small"}));
  list.push_back(inference_spec("medium", false, {"prompt medium"}));
  list.push_back(inference_spec("medium", true, {"decode medium"}));
  return list;
}

}  // namespace smallmind
