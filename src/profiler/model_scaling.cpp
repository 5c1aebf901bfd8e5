// Growth exponents between two models; see model_scaling.h.
#include "profiler/model_scaling.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "infer/session.h"
#include "train/step.h"

namespace smallmind {
namespace {

// "pp", "tg", "train_step": tests of different lengths are of one kind.
std::string kind_of(const std::string& test) {
  return test.substr(0, test.find_first_of("0123456789"));
}

ScalingRow time_row(const BenchResult& a, const BenchResult& b, double log_size) {
  ScalingRow row;
  row.quantity =
      fmt::format("{}: us per token, {} thread{}", a.test == b.test ? a.test : a.test + " / " + b.test,
                  a.threads, a.threads == 1 ? "" : "s");
  row.first = 1e6 / a.tokens_per_second;
  row.second = 1e6 / b.tokens_per_second;
  row.roof_first = a.roofline_share;
  row.roof_second = b.roofline_share;
  row.exponent = std::log(row.second / row.first) / log_size;
  if (row.roof_first > 0 && row.roof_second > 0)
    row.expected = std::log(row.second * row.roof_second / (row.first * row.roof_first)) / log_size;
  return row;
}

}  // namespace

MeasuredModel measure_model(const std::string& name, Model& model, int threads,
                            const ModelBenchOptions& options) {
  ModelBenchOptions bench = options;
  bench.full_recompute = false;
  MeasuredModel measured;
  measured.name = name;
  measured.parameters = static_cast<double>(model.config().parameter_count());
  measured.results = run_model_bench(model, threads, bench);
  measured.weight_bytes = static_cast<double>(model.values().size_bytes());
  ThreadPool pool(threads);
  const Index context = model.config().context, part = context / 2;
  const Session half(model, pool, {.context = part, .batch_rows = 1}), whole(model, pool, {.batch_rows = 1});
  measured.cache_bytes_per_token =
      static_cast<double>(whole.bytes() - half.bytes()) / static_cast<double>(context - part);
  if (bench.train_batch > 0)
    measured.training_bytes = static_cast<double>(
        measure_pass(model, pool, bench.train_batch, true).memory.total() + 4 * model.values().size_bytes());
  return measured;
}

std::vector<ScalingRow> compare_models(const MeasuredModel& first, const MeasuredModel& second) {
  if (first.parameters == second.parameters)
    fail_usage("[compare-models] models of different size expected, {} and {} have {:.0f} parameters each",
               first.name, second.name, first.parameters);
  const double log_size = std::log(second.parameters / first.parameters);
  std::vector<ScalingRow> rows;
  for (const BenchResult& a : first.results)
    for (const BenchResult& b : second.results)
      if (kind_of(a.test) == kind_of(b.test) && a.mode == b.mode && a.threads == b.threads)
        rows.push_back(time_row(a, b, log_size));
  const auto memory = [&](const char* quantity, double a, double b, std::optional<double> expected) {
    if (a > 0 && b > 0) rows.push_back({quantity, a, b, std::log(b / a) / log_size, expected});
  };
  memory("weights: bytes", first.weight_bytes, second.weight_bytes, 1.0);
  memory("KV cache: bytes per token", first.cache_bytes_per_token, second.cache_bytes_per_token,
         std::nullopt);
  memory("training: bytes", first.training_bytes, second.training_bytes, std::nullopt);
  return rows;
}

std::string model_scaling_text(const MeasuredModel& first, const MeasuredModel& second) {
  std::string text = fmt::format(
      "{} ({:.0f} parameters) -> {} ({:.0f}): {:.2f} x the parameters\n\n"
      "{:<34} {:>12} {:>12} {:>8} {:>9} {:>9} {:>15}\n",
      first.name, first.parameters, second.name, second.parameters, second.parameters / first.parameters, "",
      first.name, second.name, "ratio", "exponent", "expected", "roof");
  for (const ScalingRow& row : compare_models(first, second))
    text += fmt::format(
        "{:<34} {:>12.5g} {:>12.5g} {:>8.2f} {:>9.2f} {:>9} {:>15}\n", row.quantity, row.first, row.second,
        row.second / row.first, row.exponent, row.expected ? fmt::format("{:.2f}", *row.expected) : "-",
        row.roof_first > 0 ? fmt::format("{:.0f} % -> {:.0f} %", 100 * row.roof_first, 100 * row.roof_second)
                           : "-");
  return text +
         "\nExpected is the growth of the least possible time on this machine's roofs; an exponent below it "
         "means that the larger model uses the machine better.\n";
}

std::string model_scaling_json(const MeasuredModel& first, const MeasuredModel& second) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const ScalingRow& row : compare_models(first, second)) {
    nlohmann::ordered_json entry = {{"quantity", row.quantity},
                                    {"first", row.first},
                                    {"second", row.second},
                                    {"exponent", row.exponent},
                                    {"roofline_shares", {row.roof_first, row.roof_second}}};
    entry["expected_exponent"] = row.expected ? nlohmann::ordered_json(*row.expected) : nullptr;
    rows.push_back(std::move(entry));
  }
  const nlohmann::ordered_json document = {
      {"first", {{"name", first.name}, {"parameters", first.parameters}}},
      {"second", {{"name", second.name}, {"parameters", second.parameters}}},
      {"rows", rows}};
  return document.dump(2) + "\n";
}

}  // namespace smallmind
