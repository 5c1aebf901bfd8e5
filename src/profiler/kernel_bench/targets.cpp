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
    {"oneDNN, one thread", Quantity::versus, 1, 1.00, "onednn", true},
    {"oneDNN, to 512^3", Quantity::versus, 2, 1.20, "onednn"},
    {"oneDNN, above 512^3", Quantity::versus, 2, 1.10, "onednn"},
    // The weight packed once, as in inference.
    {"packed 128^3", Quantity::share, 0, 0.85},
    {"packed square", Quantity::share, 0, 0.93},
    // The products of training at 2048 tokens, forward, dX and dW, packing counted.
    {"layer products", Quantity::share, 0, 0.82},
    {"layer products", Quantity::share, 0, 0.87, "", true},
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
    if (target.mean || !applies(target, result)) continue;
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

std::vector<std::pair<std::string, Verdict>> judge_means(const std::vector<KernelResult>& results) {
  std::vector<std::pair<std::string, Verdict>> means;
  for (const Target& target : kTargets) {
    if (!target.mean) continue;
    for (const bool alone : {true, false}) {
      double logs = 0;
      int count = 0;
      for (const KernelResult& result : results) {
        const double quantity = applies(target, result) ? quantity_of(target, result) : 0;
        if (quantity == 0 || (result.threads == 1) != alone) continue;
        logs += std::log(quantity);
        ++count;
      }
      if (count == 0) continue;
      const double mean = std::exp(logs / count);
      Verdict verdict{true, meets(target, mean), {}};
      verdict.text = verdict.passed ? fmt::format("pass: {:.3f}", mean) : "miss: " + miss_text(target, mean);
      means.emplace_back(
          fmt::format("{} of {} rows, {}", target.name, count, alone ? "one thread" : "all threads"),
          verdict);
    }
  }
  return means;
}

}  // namespace smallmind
