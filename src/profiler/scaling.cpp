// Measuring and fitting of scaling curves; see scaling.h.
#include "profiler/scaling.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "infer/packed_weights.h"
#include "infer/session.h"
#include "profiler/statistics.h"

namespace smallmind {
namespace {

using Clock = std::chrono::steady_clock;

// One point of an axis: what to time, how many tokens that makes.
struct Probe {
  Index x;
  Index tokens;
  std::function<void()> pass;
};

std::vector<ScalingPoint> measure(const std::vector<Probe>& probes, const ScalingOptions& options) {
  std::vector<std::vector<double>> samples(probes.size());
  for (const Probe& probe : probes) probe.pass();  // cold
  const auto begin = Clock::now();
  const double budget = options.seconds * static_cast<double>(probes.size());
  while (static_cast<int>(samples[0].size()) < options.least_repeats ||
         std::chrono::duration<double>(Clock::now() - begin).count() < budget) {
    for (std::size_t i = 0; i < probes.size(); ++i) {
      probes[i].pass();  // brings the weights into this pool's caches again
      const auto start = Clock::now();
      probes[i].pass();
      samples[i].push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
  }
  std::vector<ScalingPoint> points;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const double seconds = median(samples[i]);
    points.push_back({.x = probes[i].x,
                      .seconds = seconds,
                      .spread = median_deviation(samples[i]) / seconds,
                      .tokens_per_second = static_cast<double>(probes[i].tokens) / seconds,
                      .fitted = 0});
  }
  return points;
}

// 1, 2, 4, ... and `most` itself.
std::vector<Index> doublings(Index most) {
  std::vector<Index> values;
  for (Index v = 1; v < most; v *= 2) values.push_back(v);
  values.push_back(most);
  return values;
}

void fill_cache(Session& session, Index positions, Index sequence) {
  const std::vector<std::int32_t> tokens(static_cast<std::size_t>(positions), 1);
  if (positions > 0) session.prefill(tokens, sequence);
}

// One decoding pass at `position`, again and again: the cache is cut back after each.
std::function<void()> decode_at(Session& session, Index position) {
  return [&session, position] {
    session.decode(1);
    session.truncate(position);
  };
}

ScalingCurve threads_curve(Model& model, const ScalingOptions& options) {
  ScalingCurve curve;
  curve.axis = "threads";
  const Index position = model.config().context / 2;
  std::vector<std::unique_ptr<ThreadPool>> pools;
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<Probe> probes;
  for (const Index threads : doublings(options.threads)) {
    pools.push_back(std::make_unique<ThreadPool>(static_cast<int>(threads)));
    sessions.push_back(std::make_unique<Session>(model, *pools.back()));
    fill_cache(*sessions.back(), position, 0);
    probes.push_back({threads, 1, decode_at(*sessions.back(), position)});
  }
  curve.points = measure(probes, options);
  return curve;
}

ScalingCurve batch_curve(Model& model, ThreadPool& pool, const ScalingOptions& options) {
  ScalingCurve curve;
  curve.axis = "batch";
  const Index position = std::min<Index>(model.config().context / 2, 64);
  Session session(model, pool, {.sequences = options.most_batch, .context = position + 1});
  for (Index s = 0; s < options.most_batch; ++s) fill_cache(session, position, s);
  const std::int32_t token = 1;
  std::vector<SessionInput> inputs;
  for (Index s = 0; s < options.most_batch; ++s) inputs.push_back({s, {&token, 1}});
  std::vector<Probe> probes;
  for (const Index batch : doublings(options.most_batch))
    probes.push_back({batch, batch, [&session, &inputs, batch, position] {
                        session.forward(std::span(inputs).first(static_cast<std::size_t>(batch)));
                        for (Index s = 0; s < batch; ++s) session.truncate(position, s);
                      }});
  curve.points = measure(probes, options);
  return curve;
}

ScalingCurve context_curve(Model& model, ThreadPool& pool, const ScalingOptions& options) {
  ScalingCurve curve;
  curve.axis = "context";
  const Index context = model.config().context;
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<Probe> probes;
  for (const Index position :
       {Index{0}, context / 8, context / 4, context / 2, 3 * context / 4, context - 1}) {
    if (!probes.empty() && probes.back().x == position) continue;
    sessions.push_back(std::make_unique<Session>(model, pool));
    fill_cache(*sessions.back(), position, 0);
    probes.push_back({position, 1, decode_at(*sessions.back(), position)});
  }
  curve.points = measure(probes, options);
  return curve;
}

std::string reading_of(const ScalingCurve& curve) {
  const double constant = curve.constant, variable = curve.variable;
  if (curve.axis == "threads") {
    const double one = constant + variable;
    return fmt::format(
        "{:.0f} % of one thread's time does not shrink with threads: never faster than {:.1f} x",
        100 * constant / one, one / std::max(constant, 1e-12 * one));
  }
  if (curve.axis == "batch") {
    if (curve.bend <= 0) return "a further sequence costs as much as the first: nothing is shared";
    return fmt::format(
        "up to {:.0f} sequences the reading of the weights dominates and more of them are cheap; a "
        "batch of {} yields {:.1f} x the tokens of a single one",
        curve.bend, curve.points.back().x,
        curve.points.back().tokens_per_second / curve.points.front().tokens_per_second);
  }
  if (curve.bend <= 0) return "the context costs nothing that can be measured";
  return fmt::format(
      "attention takes as long as all else at {:.0f} cached positions; at {} a token takes {:.2f} x "
      "as long as at the start",
      curve.bend, curve.points.back().x, curve.points.back().seconds / curve.points.front().seconds);
}

}  // namespace

void fit_scaling(ScalingCurve& curve) {
  const bool threads = curve.axis == "threads";
  std::vector<double> x, y;
  for (const ScalingPoint& point : curve.points) {
    const auto value = static_cast<double>(point.x);
    x.push_back(threads ? 1 / value : value);
    y.push_back(point.seconds);
  }
  const Line line = fit_line(x, y);
  // Neither term can be negative: super-linear speed-up (a larger cache) and noise are cut off.
  curve.constant = std::max(0.0, line.intercept);
  curve.variable = std::max(0.0, line.slope);
  curve.residual = line.residual;
  for (std::size_t i = 0; i < x.size(); ++i) curve.points[i].fitted = curve.constant + curve.variable * x[i];
  if (curve.constant > 0 && curve.variable > 0)
    curve.bend = threads ? curve.variable / curve.constant : curve.constant / curve.variable;
  const char* form = threads ? "{:.4g} ms + {:.4g} ms / threads" : "{:.4g} ms + {:.4g} ms x {}";
  curve.formula = fmt::format(fmt::runtime(form), 1e3 * curve.constant, 1e3 * curve.variable,
                              curve.axis == "batch" ? "sequences" : "positions");
  curve.reading = reading_of(curve);
}

std::vector<ScalingCurve> measure_scaling(Model& model, const ScalingOptions& options) {
  ThreadPool pool(options.threads);
  const PackedWeights packed(model, pool);
  std::vector<ScalingCurve> curves;
  if (options.threads > 1) curves.push_back(threads_curve(model, options));
  if (options.most_batch > 1) curves.push_back(batch_curve(model, pool, options));
  if (model.config().context > 1) curves.push_back(context_curve(model, pool, options));
  for (ScalingCurve& curve : curves) fit_scaling(curve);
  return curves;
}

std::string scaling_text(const std::string& name, const std::vector<ScalingCurve>& curves) {
  std::string text = fmt::format("{}: one decoding pass\n", name);
  for (const ScalingCurve& curve : curves) {
    text +=
        fmt::format("\n{:>8} {:>12} {:>8} {:>12} {:>12}\n", curve.axis, "ms", "spread", "fit ms", "tokens/s");
    for (const ScalingPoint& p : curve.points)
      text += fmt::format("{:>8} {:>12.4f} {:>7.1f}% {:>12.4f} {:>12.1f}\n", p.x, 1e3 * p.seconds,
                          100 * p.spread, 1e3 * p.fitted, p.tokens_per_second);
    text += fmt::format("  t = {} (fits within {:.1f} %)", curve.formula, 100 * curve.residual);
    if (curve.bend > 0) text += fmt::format(", bends at {:.1f}", curve.bend);
    text += fmt::format("\n  {}\n", curve.reading);
  }
  return text;
}

std::string scaling_json(const std::string& name, const std::vector<ScalingCurve>& curves) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ScalingCurve& curve : curves) {
    nlohmann::ordered_json points = nlohmann::ordered_json::array();
    for (const ScalingPoint& p : curve.points)
      points.push_back({{"x", p.x},
                        {"ms", 1e3 * p.seconds},
                        {"spread", p.spread},
                        {"fitted_ms", 1e3 * p.fitted},
                        {"tokens_per_second", p.tokens_per_second}});
    list.push_back({{"axis", curve.axis},
                    {"formula", curve.formula},
                    {"constant_ms", 1e3 * curve.constant},
                    {"variable_ms", 1e3 * curve.variable},
                    {"residual", curve.residual},
                    {"bend", curve.bend},
                    {"reading", curve.reading},
                    {"points", points}});
  }
  return nlohmann::ordered_json({{"model", name}, {"curves", list}}).dump(2) + "\n";
}

}  // namespace smallmind
