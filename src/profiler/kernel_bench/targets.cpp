// The table of targets and how rows are held against it; see targets.h.
#include "profiler/kernel_bench/targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace smallmind {
namespace {

constexpr Target kTargets[] = {
    // Products on plain operands, packing counted, against the multiply-add peak; a 128^3 lasts 16 us with
    // one thread, so the start of two threads and the packing of B show.
    {"plain 128^3", Quantity::share, 0, 0.80},
    {"plain square", Quantity::share, 0, 0.88},
    // oneDNN's sgemm reaches 97 % of the peak with one thread on square products, 58 to 80 % with two.
    {"oneDNN, one thread", Quantity::versus, 1, 0.95, "onednn"},
    {"oneDNN, one thread", Quantity::versus, 1, 1.00, "onednn", Over::mean},
    {"oneDNN, to 512^3", Quantity::versus, 2, 1.20, "onednn"},
    {"oneDNN, above 512^3", Quantity::versus, 2, 1.10, "onednn"},
    // The weight packed once, as in inference.
    {"packed 128^3", Quantity::share, 0, 0.85},
    {"packed square", Quantity::share, 0, 0.93},
    // The products of training at 2048 tokens, forward, dX and dW, packing counted.
    {"layer products", Quantity::share, 0, 0.82},
    {"layer products", Quantity::share, 0, 0.87, "", Over::mean},
    {"linear cross-entropy", Quantity::share, 0, 0.75},
    // Few rows: one reads the weight as fast as memory gives it, 64 multiply at the peak.
    {"M = 1", Quantity::share, 0, 0.90},
    {"M = 8", Quantity::share, 0, 0.75},
    {"M = 64", Quantity::share, 0, 0.86},
    // Causal attention, FLOPs of unmasked pairs only; memory beside inputs, outputs and their gradients, in
    // MiB.
    {"attention forward", Quantity::share, 0, 0.60},
    {"attention backward", Quantity::share, 0, 0.50},
    {"attention memory", Quantity::at_most, 0, 2.0},
    // Row kernels against a stream of the same reads and writes.
    {"softmax", Quantity::share, 0, 0.70},
    {"gelu", Quantity::share, 0, 0.70},
    {"streams", Quantity::share, 0, 0.92},
    {"adamw", Quantity::share, 0, 0.85},
    // In the second-level cache, reads and writes counted.
    {"layer_norm", Quantity::per_thread, 0, 60.0},
    // f32 weights and cache, tokens/s at the best thread count; ik_llama.cpp decodes 23,600 and 3,110,
    // llama.cpp reads 18,400.
    {"decode small", Quantity::value, 0, 28000, "", Over::best},
    {"decode medium", Quantity::value, 0, 3600, "", Over::best},
    {"prompt medium", Quantity::value, 0, 30000, "", Over::best},
};

const char* quantity_name(Quantity quantity) {
  switch (quantity) {
    case Quantity::share:
      return "share";
    case Quantity::value:
      return "value";
    case Quantity::per_thread:
      return "per thread";
    case Quantity::versus:
      return "against";
    case Quantity::at_most:
      break;
  }
  return "value";
}

bool meets(const Target& target, double quantity) {
  return target.quantity == Quantity::at_most ? quantity <= target.bound : quantity >= target.bound;
}

double geometric_mean(const std::vector<double>& values) {
  double logs = 0;
  for (const double value : values) logs += std::log(value);
  return std::exp(logs / static_cast<double>(values.size()));
}

std::string miss_text(const Target& target, double quantity) {
  const bool versus = target.quantity == Quantity::versus;
  const int digits = target.bound < 10 ? 2 : 0;
  return fmt::format("{}{}{} {:.{}f} {} {:.{}f}", quantity_name(target.quantity), versus ? " " : "",
                     target.rival, quantity, digits, target.quantity == Quantity::at_most ? '>' : '<',
                     target.bound, digits);
}

}  // namespace

std::span<const Target> kernel_targets() {
  return kTargets;
}

bool applies(const Target& target, const KernelResult& result) {
  if (std::find(result.targets.begin(), result.targets.end(), target.name) == result.targets.end())
    return false;
  return target.threads == 0 || (target.threads == 1) == (result.threads == 1);
}

double quantity_of(const Target& target, const KernelResult& result) {
  switch (target.quantity) {
    case Quantity::share:
      return result.roofline_share;
    case Quantity::value:
    case Quantity::at_most:
      return result.value;
    case Quantity::per_thread:
      return result.value / result.threads;
    case Quantity::versus:
      break;
  }
  for (const auto& [name, value] : result.rivals)
    if (name == target.rival) return result.value / value;
  return 0;
}

Verdict judge(const KernelResult& result) {
  Verdict verdict;
  for (const Target& target : kTargets) {
    if (target.over != Over::each || !applies(target, result)) continue;
    const double quantity = quantity_of(target, result);
    if (quantity == 0) continue;
    verdict.stated = true;
    if (meets(target, quantity)) continue;
    verdict.text += (verdict.passed ? "miss: " : ", ") + miss_text(target, quantity);
    verdict.passed = false;
  }
  if (verdict.stated && verdict.passed) verdict.text = "pass";
  return verdict;
}

std::vector<std::pair<std::string, Verdict>> judge_together(const std::vector<KernelResult>& results) {
  std::vector<std::pair<std::string, Verdict>> verdicts;
  const auto add = [&](const Target& target, const std::vector<double>& quantities, const std::string& of) {
    if (quantities.empty()) return;
    const double value = target.over == Over::mean ? geometric_mean(quantities)
                                                   : *std::max_element(quantities.begin(), quantities.end());
    Verdict verdict{true, meets(target, value), {}};
    verdict.text = verdict.passed ? fmt::format("pass: {:.{}f}", value, value < 10 ? 3 : 0)
                                  : "miss: " + miss_text(target, value);
    verdicts.emplace_back(
        fmt::format("{}, {} {} {}", target.name, target.over == Over::mean ? "geometric mean of" : "best of",
                    quantities.size(), of),
        verdict);
  };
  for (const Target& target : kTargets) {
    if (target.over == Over::each) continue;
    std::vector<double> one, more;
    for (const KernelResult& result : results)
      if (const double quantity = applies(target, result) ? quantity_of(target, result) : 0; quantity != 0)
        (result.threads == 1 || target.over == Over::best ? one : more).push_back(quantity);
    add(target, one, target.over == Over::best ? "rows" : "rows with one thread");
    add(target, more, "rows with all threads");
  }
  return verdicts;
}

}  // namespace smallmind
