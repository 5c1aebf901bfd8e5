// The benchmark of whole models; see model_bench.h.
#include "profiler/model_bench.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>

#include "infer/packed_weights.h"
#include "infer/session.h"
#include "train/step.h"

namespace smallmind {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double relative_deviation(const std::vector<double>& values) {
  const double centre = median(values);
  std::vector<double> deviations;
  for (const double value : values) deviations.push_back(std::abs(value - centre));
  return median(deviations) / centre;
}

std::vector<std::int32_t> some_tokens(Index count, Index vocab) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i)
    tokens[static_cast<std::size_t>(i)] =
        static_cast<std::int32_t>(i * 7919 % vocab);  // a prime's multiples: no runs
  return tokens;
}

// FLOPs and bytes of one forward pass of `rows` tokens at `position`, logits of the last row only.
OpCost forward_cost(const Model& model, ThreadPool& pool, Index rows, Index position) {
  Exec ex = Exec::measuring(pool, kernels(), false);
  const Step step(ex);
  const std::vector<std::int32_t> tokens = some_tokens(rows, model.config().vocab);
  const Segment segment{0, rows, position, 0};
  model.forward(ex, {tokens, {&segment, 1}}, nullptr);
  return ex.cost() + product_cost(1, model.config().vocab, model.config().width);
}

// What the roofline allows at best: seconds for this work with the weights and the cache as the footprint.
double least_seconds(OpCost cost, std::int64_t footprint, int threads, const Roofline& roofline) {
  const double compute = static_cast<double>(cost.flops) / (roofline.fma_gflops(threads) * 1e9);
  const double memory = static_cast<double>(cost.bytes) / (roofline.read_gbps(footprint, threads) * 1e9);
  return std::max(compute, memory);
}

struct Timing {
  const ModelBenchOptions& options;

  // Repeats `pass`, which handles `tokens` tokens.
  BenchResult measure(Index tokens, double least, const std::function<void()>& pass) const {
    BenchResult result;
    const auto cold = Clock::now();
    pass();
    result.cold_tokens_per_second = static_cast<double>(tokens) / seconds_since(cold);
    std::vector<double> rates;
    rates.reserve(1 << 16);
    const std::uint64_t allocations = options.heap_allocations == nullptr ? 0 : options.heap_allocations();
    const auto begin = Clock::now();
    while (rates.size() < rates.capacity() && (static_cast<int>(rates.size()) < options.least_repeats ||
                                               seconds_since(begin) < options.seconds)) {
      const auto start = Clock::now();
      pass();
      rates.push_back(static_cast<double>(tokens) / seconds_since(start));
    }
    if (options.heap_allocations != nullptr)
      result.heap_allocations_per_token = static_cast<double>(options.heap_allocations() - allocations) /
                                          static_cast<double>(tokens * static_cast<Index>(rates.size()));
    result.repeats = static_cast<int>(rates.size());
    result.tokens_per_second = median(rates);
    result.spread = relative_deviation(rates);
    result.roofline_share = least * result.tokens_per_second / static_cast<double>(tokens);
    return result;
  }
};

void bench_inference(Model& model, ThreadPool& pool, const ModelBenchOptions& options,
                     const Roofline& roofline, std::vector<BenchResult>& results) {
  const PackedWeights packed(model, pool);
  Session session(model, pool, {.batch_rows = options.prompt_tokens});
  const Timing timing{options};
  const int threads = pool.size();
  const std::int64_t footprint = static_cast<std::int64_t>(packed.bytes());
  const auto prompt = some_tokens(options.prompt_tokens, model.config().vocab);
  const auto text = some_tokens(options.decode_tokens, model.config().vocab);

  const auto add = [&](std::string test, std::string mode, BenchResult result) {
    result.test = std::move(test);
    result.mode = std::move(mode);
    result.threads = threads;
    results.push_back(std::move(result));
  };
  const double prompt_least =
      least_seconds(forward_cost(model, pool, options.prompt_tokens, 0), footprint, threads, roofline);
  add(fmt::format("pp{}", options.prompt_tokens), "kv_cache",
      timing.measure(options.prompt_tokens, prompt_least, [&] {
        session.reset();
        session.prefill(prompt);
      }));

  double decode_least = 0, recompute_least = 0;
  for (Index i = 0; i < options.decode_tokens; ++i) {
    decode_least += least_seconds(forward_cost(model, pool, 1, i), footprint, threads, roofline);
    recompute_least += least_seconds(forward_cost(model, pool, i + 1, 0), footprint, threads, roofline);
  }
  const std::string decode = fmt::format("tg{}", options.decode_tokens);
  add(decode, "kv_cache", timing.measure(options.decode_tokens, decode_least, [&] {
    session.reset();
    for (const std::int32_t token : text) session.decode(token);
  }));
  if (!options.full_recompute) return;
  add(decode, "full_recompute", timing.measure(options.decode_tokens, recompute_least, [&] {
    for (std::size_t n = 1; n <= text.size(); ++n) {
      session.reset();
      session.prefill(std::span(text).first(n));
    }
  }));
}

void bench_training(Model& model, ThreadPool& pool, const ModelBenchOptions& options,
                    const Roofline& roofline, std::vector<BenchResult>& results) {
  const std::vector<std::int32_t> tokens =
      some_tokens(options.train_batch * model.config().context, model.config().vocab);
  TrainSettings settings;
  settings.batch = options.train_batch;
  const PassNeeds needs = measure_pass(model, pool, settings.batch, true);
  TrainingStep step(model, settings, pool, needs);
  // AdamW reads parameter, gradient and both moments and writes three of them back: 28 bytes a parameter.
  const OpCost cost = needs.cost + OpCost{0, 28 * static_cast<std::int64_t>(model.values().size())};
  const auto footprint = static_cast<std::int64_t>(needs.memory.total() + model.values().size_bytes() * 4);
  const double least = least_seconds(cost, footprint, pool.size(), roofline);
  BenchResult result = Timing{options}.measure(static_cast<Index>(tokens.size()), least, [&] {
    step.gradients(tokens, tokens);
    step.update(1e-4);
  });
  result.test = "train_step";
  result.mode = "-";
  result.threads = pool.size();
  results.push_back(std::move(result));
}

}  // namespace

std::vector<BenchResult> run_model_bench(Model& model, int threads, const ModelBenchOptions& options) {
  const Index context = model.config().context;
  if (options.prompt_tokens < 1 || options.prompt_tokens > context || options.decode_tokens < 1 ||
      options.decode_tokens > context)
    fail_usage("[bench] 1 to {} tokens expected, prompts of {} and {} decoded tokens asked for", context,
               options.prompt_tokens, options.decode_tokens);
  std::vector<int> counts = {1};
  if (threads > 1) counts.push_back(threads);
  std::vector<BenchResult> results;
  const Roofline roofline = machine_roofline(threads);
  for (const int count : counts) {
    ThreadPool pool(count);
    bench_inference(model, pool, options, roofline, results);
    if (options.train_batch > 0) bench_training(model, pool, options, roofline, results);
  }
  return results;
}

ModelBenchOptions reference_bench(const std::string& preset_name, const ModelConfig& config) {
  ModelBenchOptions options;
  options.prompt_tokens = std::min<Index>(512, config.context);
  options.decode_tokens = std::min<Index>(128, config.context);
  options.train_batch = 4;
  if (preset_name == "tiny" || preset_name == "small") {
    options.prompt_tokens = config.context;
    options.decode_tokens = std::min<Index>(50, config.context);
    options.train_batch = 32;
  } else if (preset_name == "medium") {
    options.prompt_tokens = 128;
    options.decode_tokens = 100;
    options.train_batch = 16;
  }
  return options;
}

}  // namespace smallmind
