// The benchmark of whole models; see model_bench.h.
#include "profiler/model_bench.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>

#include "infer/packed_weights.h"
#include "infer/session.h"
#include "machine/roofline.h"
#include "profiler/statistics.h"
#include "train/step.h"

namespace smallmind {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
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
  model.logits(ex, ex.make(1, model.config().width));
  return ex.cost();
}

// The machine's limits for one footprint, sampled right before and right after the work that is held against
// them: on a shared machine a roof from another minute is another machine's.
class Roof {
 public:
  Roof(ThreadPool& pool, std::int64_t footprint) : pool_(pool), footprint_(footprint) { sample(); }

  void sample() {
    constexpr RooflineEffort kShort{.samples = 7, .sample_seconds = 0.001};
    flops_.push_back(measure_fma(pool_, kernels(), kShort).value * 1e9);
    bytes_.push_back(measure_bandwidth(pool_, kernels(), Stream::read, footprint_, kShort).value * 1e9);
  }

  // Seconds that the work needs at the least.
  double least_seconds(OpCost cost) const {
    return std::max(static_cast<double>(cost.flops) / mean(flops_),
                    static_cast<double>(cost.bytes) / mean(bytes_));
  }

 private:
  static double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }

  ThreadPool& pool_;
  std::int64_t footprint_;
  std::vector<double> flops_, bytes_;
};

struct Timing {
  const ModelBenchOptions& options;
  ThreadPool& pool;

  // Repeats `pass`, which handles `tokens` tokens in passes of these costs.
  BenchResult measure(Index tokens, std::span<const OpCost> costs, std::int64_t footprint,
                      const std::function<void()>& pass) const {
    BenchResult result;
    Roof roof(pool, footprint);
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
    result.spread = median_deviation(rates) / result.tokens_per_second;
    roof.sample();
    double least = 0;
    for (const OpCost& cost : costs) least += roof.least_seconds(cost);
    result.roofline_share = least * result.tokens_per_second / static_cast<double>(tokens);
    return result;
  }
};

}  // namespace

std::vector<BenchResult> bench_inference(Model& model, ThreadPool& pool, const ModelBenchOptions& options) {
  std::vector<BenchResult> results;
  const PackedWeights packed(model, pool);
  Session session(model, pool, {.batch_rows = options.prompt_tokens});
  const Timing timing{options, pool};
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
  const OpCost prompt_cost = forward_cost(model, pool, options.prompt_tokens, 0);
  add(fmt::format("pp{}", options.prompt_tokens), "kv_cache",
      timing.measure(options.prompt_tokens, {&prompt_cost, 1}, footprint, [&] {
        session.reset();
        session.prefill(prompt);
      }));

  std::vector<OpCost> decode_costs, recompute_costs;
  for (Index i = 0; i < options.decode_tokens; ++i) {
    decode_costs.push_back(forward_cost(model, pool, 1, i));
    recompute_costs.push_back(forward_cost(model, pool, i + 1, 0));
  }
  const std::string decode = fmt::format("tg{}", options.decode_tokens);
  add(decode, "kv_cache", timing.measure(options.decode_tokens, decode_costs, footprint, [&] {
    session.reset();
    for (const std::int32_t token : text) session.decode(token);
  }));
  if (!options.full_recompute) return results;
  add(decode, "full_recompute", timing.measure(options.decode_tokens, recompute_costs, footprint, [&] {
    for (std::size_t n = 1; n <= text.size(); ++n) {
      session.reset();
      session.prefill(std::span(text).first(n));
    }
  }));
  return results;
}

BenchResult bench_training(Model& model, ThreadPool& pool, const ModelBenchOptions& options) {
  const std::vector<std::int32_t> tokens =
      some_tokens(options.train_batch * model.config().context, model.config().vocab);
  TrainSettings settings;
  settings.batch = options.train_batch;
  const PassNeeds needs = measure_pass(model, pool, settings.batch, true);
  TrainingStep step(model, settings, pool, needs);
  const OpCost cost = needs.cost + adamw_cost(static_cast<std::int64_t>(model.values().size()));
  const auto footprint = static_cast<std::int64_t>(needs.memory.total() + model.values().size_bytes() * 4);
  BenchResult result =
      Timing{options, pool}.measure(static_cast<Index>(tokens.size()), {&cost, 1}, footprint, [&] {
        step.gradients(tokens, tokens);
        step.update(1e-4);
      });
  result.test = "train_step";
  result.mode = "-";
  result.threads = pool.size();
  return result;
}

std::vector<BenchResult> run_model_bench(Model& model, int threads, const ModelBenchOptions& options) {
  const Index context = model.config().context;
  if (options.prompt_tokens < 1 || options.prompt_tokens > context || options.decode_tokens < 1 ||
      options.decode_tokens > context)
    fail_usage("[bench] 1 to {} tokens expected, prompts of {} and {} decoded tokens asked for", context,
               options.prompt_tokens, options.decode_tokens);
  std::vector<int> counts = {1};
  if (threads > 1) counts.push_back(threads);
  std::vector<BenchResult> results;
  for (const int count : counts) {
    ThreadPool pool(count);
    for (BenchResult& result : bench_inference(model, pool, options)) results.push_back(std::move(result));
    if (options.train_batch > 0) results.push_back(bench_training(model, pool, options));
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
