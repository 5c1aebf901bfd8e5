// Texts that a model writes, with the KV cache and without, as parts of workloads.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/random.h"
#include "base/zone.h"
#include "infer/packed_weights.h"
#include "infer/sampler.h"
#include "infer/session.h"
#include "model/presets.h"
#include "profiler/workloads/workloads.h"

namespace smallmind {
namespace {

using Clock = std::chrono::steady_clock;

constexpr float kTemperature = 0.8f;
constexpr std::size_t kMostLatencies = std::size_t{1} << 20;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = std::lround(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

// One way of writing the texts, with a session of its own, so that its first pass is a cold one.
class Writer {
 public:
  Writer(const Model& model, ThreadPool& pool, const TextSpec& spec, bool cached, std::uint64_t seed)
      : spec_(spec), cached_(cached), session_(model, pool) {
    for (Index i = 0; i < spec.texts; ++i) {
      const std::uint64_t text_seed = seed + static_cast<std::uint64_t>(i);
      samplers_.emplace_back(SamplingOptions{.temperature = kTemperature, .seed = text_seed},
                             model.config().vocab);
      prompts_.push_back(random_tokens(spec.prompt, model.config().vocab, text_seed));
    }
    tokens_.reserve(static_cast<std::size_t>(spec.prompt + spec.tokens));
    first_.reserve(kMostLatencies / 16);
    next_.reserve(kMostLatencies);
  }

  void write_all() {
    for (std::size_t i = 0; i < prompts_.size(); ++i) write(i);
  }

  // Forgets what the cold pass took, but for its first token.
  void keep_cold() {
    cold_ = first_.empty() ? 0 : first_.front();
    first_.clear();
    next_.clear();
  }

  TokenLatency latency() const {
    return {.first_cold = cold_,
            .first = median(first_),
            .p50 = percentile(next_, 0.5),
            .p95 = percentile(next_, 0.95),
            .best_then = spec_.first_token_ms_then};
  }

 private:
  void write(std::size_t text) {
    const std::vector<std::int32_t>& prompt = prompts_[text];
    tokens_.assign(prompt.begin(), prompt.end());
    session_.reset();
    Clock::time_point before = Clock::now();
    std::span<const float> logits = session_.prefill(prompt);
    for (Index i = 0; i < spec_.tokens; ++i) {
      if (i > 0) logits = read_on();
      {
        const Zone zone("sample", {.phase = Phase::sample});
        tokens_.push_back(samplers_[text].sample(logits, tokens_, prompt.size()));
      }
      const Clock::time_point now = Clock::now();
      std::vector<double>& latencies = i == 0 ? first_ : next_;
      if (latencies.size() < latencies.capacity()) latencies.push_back(milliseconds(now - before));
      before = now;
    }
  }

  // The logits after the last token.
  std::span<const float> read_on() {
    const auto context = static_cast<std::size_t>(session_.context());
    if (cached_ && session_.length() < session_.context()) return session_.decode(tokens_.back());
    session_.reset();
    return session_.prefill(std::span(tokens_).last(cached_ ? std::max<std::size_t>(1, context / 2)
                                                            : std::min(tokens_.size(), context)));
  }

  const TextSpec& spec_;
  bool cached_;
  Session session_;
  std::vector<Sampler> samplers_;
  std::vector<std::vector<std::int32_t>> prompts_;
  std::vector<std::int32_t> tokens_;
  std::vector<double> first_, next_;  // milliseconds
  double cold_ = 0;
};

void text_part(WorkloadRun& run, const Model& model, const TextSpec& text, bool cached) {
  const char* name = cached ? text.cached : text.recomputed;
  if (name == nullptr || run.stopped()) return;
  Writer writer(model, run.pool(), text, cached, run.options().seed);
  const auto tokens = static_cast<double>(text.texts * text.tokens);
  PartSpec spec{.name = name, .unit = "tokens/s", .amount = tokens, .item = "token", .items = tokens};
  spec.best_then = text.best_then;
  bool cold = true;
  spec.pass = [&](int) {
    writer.write_all();
    if (cold) writer.keep_cold();
    cold = false;
  };
  std::optional<PartResult> result = run.measure(spec);
  if (!result) return;
  result->latency = writer.latency();
  result->heap_bytes_then = text.heap_bytes_then;
  run.add(std::move(*result));
}

void prompt_part(WorkloadRun& run, const Model& model, const TextSpec& text) {
  if (text.prompted == nullptr || run.stopped()) return;
  Session session(model, run.pool());
  const auto prompt = random_tokens(text.prompt, model.config().vocab, run.options().seed);
  const auto tokens = static_cast<double>(text.prompt);
  PartSpec spec{
      .name = text.prompted, .unit = "tokens/s", .amount = tokens, .item = "token", .items = tokens};
  spec.pass = [&](int) {
    session.reset();
    session.prefill(prompt);
  };
  run.part(spec);
}

}  // namespace

std::unique_ptr<Model> reference_model(std::string_view name, bool gradients, std::uint64_t seed) {
  std::unique_ptr<Model> model = make_model(preset(name));
  model->allocate(gradients);
  model->initialise(seed);
  return model;
}

std::vector<std::int32_t> random_tokens(Index count, Index vocab, std::uint64_t seed) {
  const RandomStream random(seed, 0, 0);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<std::int32_t>(random.below(i, static_cast<std::uint32_t>(vocab)));
  return tokens;
}

void text_parts(WorkloadRun& run, Model& model, const TextSpec& spec) {
  const PackedWeights packed(model, run.pool());
  prompt_part(run, model, spec);
  for (const bool cached : {true, false}) text_part(run, model, spec, cached);
}

}  // namespace smallmind
