// The statistics of comparisons; see compare.h.
#include "profiler/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/error.h"
#include "profiler/statistics.h"

namespace smallmind {
namespace {

// The chance of any false report. Blocks have power to spare for a strict level: tails heavier than the
// normal distribution's (a process whose pages lie badly) make some 2 % of it. Wholes must guess their
// spread.
constexpr double kLevelOfBlocks = 0.005, kLevelOfWholes = 0.02;
constexpr double kLeastShare = 0.005;
// Degrees of freedom that the common variance counts for beside an operation's own.
constexpr double kPriorDegrees = 4;

// One operation's logarithms: per block the difference of the sides, or without blocks one difference and the
// variance that its passes show.
struct Evidence {
  std::size_t op;  // of Comparison::ops
  std::vector<double> differences;
  double pass_variance = 0;
};

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance_about_mean(const std::vector<double>& values) {
  const double centre = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return values.size() < 2 ? 0 : squares / static_cast<double>(values.size() - 1);
}

// The squared standard error of the logarithm of the median of a run's passes; the median of n normal samples
// has pi/2 times the variance of their mean.
double error_of_median(const std::vector<double>& seconds) {
  const double centre = median(seconds);
  if (seconds.size() < 2 || centre <= 0) return 0;
  const double sigma = kDeviationToSigma * median_deviation(seconds) / centre;
  return sigma * sigma * 1.5708 / static_cast<double>(seconds.size());
}

// The runs of one side seen as one: medians over the runs, and seconds as one median per run.
struct Side {
  OpSamples samples;
  double seconds = 0;
  double error = 0;  // squared, of the logarithm of `seconds`, as far as passes show it
};

Side side_of(std::span<const RunSamples> runs, const OpKey& key) {
  Side side;
  std::vector<double> calls, wait, flops, bytes, allocations, heap_bytes, arena_bytes;
  for (const RunSamples& run : runs) {
    const auto entry = run.ops.find(key);
    if (entry == run.ops.end()) continue;
    const OpSamples& s = entry->second;
    side.samples.seconds.push_back(median(s.seconds));
    side.error += error_of_median(s.seconds);
    calls.push_back(s.calls);
    wait.push_back(s.wait);
    flops.push_back(s.flops);
    bytes.push_back(s.bytes);
    allocations.push_back(s.heap_allocations);
    heap_bytes.push_back(s.heap_bytes);
    arena_bytes.push_back(s.arena_bytes);
  }
  const auto count = static_cast<double>(side.samples.seconds.size());
  side.error = count > 0 ? side.error / (count * count) : 0;
  side.seconds = median(side.samples.seconds);
  side.samples.calls = median(calls);
  side.samples.wait = median(wait);
  side.samples.flops = median(flops);
  side.samples.bytes = median(bytes);
  side.samples.heap_allocations = median(allocations);
  side.samples.heap_bytes = median(heap_bytes);
  side.samples.arena_bytes = median(arena_bytes);
  return side;
}

std::string ratio_text(const char* what, double before, double after) {
  return fmt::format("{} {:.4g} -> {:.4g} ({:+.1f} %)", what, before, after, 100 * (after / before - 1));
}

// Why an operation may have changed, as far as the counts and rates tell.
std::string cause_of(const OpChange& change) {
  const OpSamples &a = change.before, &b = change.after;
  const auto differs = [](double x, double y) {
    return std::abs(x - y) > 1e-6 * std::max(std::abs(x), std::abs(y));
  };
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (differs(a.calls, b.calls)) add(ratio_text("calls", a.calls, b.calls));
  if (differs(a.flops, b.flops)) add(ratio_text("FLOPs", a.flops, b.flops));
  if (differs(a.bytes, b.bytes)) add(ratio_text("bytes", a.bytes, b.bytes));
  if (differs(a.heap_allocations, b.heap_allocations))
    add(fmt::format("heap allocations {:.4g} -> {:.4g}", a.heap_allocations, b.heap_allocations));
  const bool judged =
      change.verdict == OpChange::Verdict::faster || change.verdict == OpChange::Verdict::slower;
  if (!judged) return text;
  const double more_wait = b.wait - a.wait;
  if (std::abs(more_wait) > 0.5 * std::abs(change.cost()) && change.cost() * more_wait > 0)
    add(fmt::format("waits {:.3g} -> {:.3g} ms", 1e3 * a.wait, 1e3 * b.wait));
  const bool computes = a.flops > a.bytes;
  const double work_before = computes ? a.flops : a.bytes, work_after = computes ? b.flops : b.bytes;
  if (text.empty() && work_before > 0)
    add(fmt::format("same calls and work, {:.4g} -> {:.4g} {} a thread",
                    work_before / change.seconds_before * 1e-9, work_after / change.seconds_after * 1e-9,
                    computes ? "GFLOP/s" : "GB/s"));
  return text;
}

// All scalar values of a JSON text by their path; a text that is none gives nothing.
void flatten(const nlohmann::json& value, const std::string& path, std::map<std::string, std::string>& out) {
  if (!value.is_structured()) {
    out[path] = value.is_string() ? value.get<std::string>() : value.dump();
    return;
  }
  for (const auto& [name, inner] : value.items())
    flatten(inner, path.empty() ? name : fmt::format("{}.{}", path, name), out);
}

// Measured numbers, such as the clock, differ a little between any two runs.
bool nearly_equal(const std::string& a, const std::string& b) {
  char *end_a = nullptr, *end_b = nullptr;
  const double x = std::strtod(a.c_str(), &end_a), y = std::strtod(b.c_str(), &end_b);
  const bool numbers = !a.empty() && !b.empty() && *end_a == 0 && *end_b == 0;
  return numbers && a.find('.') != a.npos && std::abs(x - y) < 0.02 * std::max(std::abs(x), std::abs(y));
}

std::vector<std::string> environment_changes(const RunSamples& before, const RunSamples& after) {
  std::map<std::string, std::string> a, b;
  flatten(nlohmann::json::parse(before.environment, nullptr, false), "", a);
  flatten(nlohmann::json::parse(after.environment, nullptr, false), "", b);
  static const std::set<std::string> kAlwaysDiffer = {"date", "host_load", "memory_bytes", "pid", "time"};
  std::vector<std::string> lines;
  for (const auto& [path, value] : a) {
    const auto other = b.find(path);
    if (other == b.end() || other->second == value || nearly_equal(value, other->second) ||
        kAlwaysDiffer.contains(path))
      continue;
    lines.push_back(fmt::format("{}: {} -> {}", path, value, other->second));
  }
  return lines;
}

// The differences of an operation that both sides have.
Evidence evidence_of(std::span<const RunSamples> before, std::span<const RunSamples> after, bool paired,
                     std::size_t index, const OpKey& key, const Side& a, const Side& b) {
  Evidence evidence{index, {}, a.error + b.error};
  if (!paired) {
    evidence.differences.push_back(std::log(b.seconds / a.seconds));
    return evidence;
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto x = before[i].ops.find(key), y = after[i].ops.find(key);
    if (x == before[i].ops.end() || y == after[i].ops.end()) continue;
    const double from = median(x->second.seconds), to = median(y->second.seconds);
    if (from > 0 && to > 0) evidence.differences.push_back(std::log(to / from));
  }
  return evidence;
}

// Takes from every difference what all operations of the same block have in common; returns the mean of that.
double take_out_shift(std::vector<Evidence>& all) {
  std::size_t blocks = 0;
  for (const Evidence& e : all) blocks = std::max(blocks, e.differences.size());
  std::vector<double> shifts;
  for (std::size_t block = 0; block < blocks; ++block) {
    std::vector<double> values;
    for (const Evidence& e : all)
      if (block < e.differences.size()) values.push_back(e.differences[block]);
    const double shift = median(values);
    shifts.push_back(shift);
    for (Evidence& e : all)
      if (block < e.differences.size()) e.differences[block] -= shift;
  }
  return shifts.empty() ? 0 : mean(shifts);
}

// A neighbour that visits one block would hide every change from means and variances: what lies further from
// an operation's median than kFar standard deviations, its own or the typical one, is moved to there.
void pull_in_outliers(std::vector<Evidence>& all) {
  constexpr double kFar = 2.5;
  std::vector<double> deviations;
  for (const Evidence& e : all) {
    const double centre = median(e.differences);
    for (const double d : e.differences) deviations.push_back(std::abs(d - centre));
  }
  const double typical = kDeviationToSigma * median(deviations);
  for (Evidence& e : all) {
    const double centre = median(e.differences);
    const double far = kFar * std::max(typical, kDeviationToSigma * median_deviation(e.differences));
    for (double& d : e.differences) d = std::clamp(d, centre - far, centre + far);
  }
}

struct Judgement {
  double estimate, error, degrees;
};

// Estimates with standard errors. Blocks show the whole variance of an operation, single runs only that of
// their passes: there the scatter among the operations stands for the rest.
std::vector<Judgement> judge(const std::vector<Evidence>& all, bool paired) {
  std::vector<double> estimates, own;
  for (const Evidence& e : all) {
    estimates.push_back(mean(e.differences));
    own.push_back(paired ? variance_about_mean(e.differences) : e.pass_variance);
  }
  const double common = median(own);
  const double scatter = kDeviationToSigma * median_deviation(estimates);
  std::vector<Judgement> judgements;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto n = static_cast<double>(all[i].differences.size());
    if (paired) {
      const double degrees = kPriorDegrees + n - 1;
      const double variance = (kPriorDegrees * common + (n - 1) * own[i]) / degrees;
      judgements.push_back({estimates[i], std::sqrt(variance / n), degrees});
    } else {
      const double degrees = std::max(2.0, static_cast<double>(all.size()) - 2);
      judgements.push_back({estimates[i], std::sqrt(own[i] + scatter * scatter), degrees});
    }
  }
  return judgements;
}

void give_verdicts(const std::vector<Evidence>& all, bool paired, Comparison& comparison) {
  const std::vector<Judgement> judgements = judge(all, paired);
  const double level = paired ? kLevelOfBlocks : kLevelOfWholes;
  std::vector<double> p_values, errors;
  for (const Judgement& j : judgements) {
    p_values.push_back(j.error > 0       ? student_t_two_sided(j.estimate / j.error, j.degrees)
                       : j.estimate == 0 ? 1
                                         : 0);
    errors.push_back(j.error);
  }
  const std::vector<double> adjusted = holm(p_values);
  for (std::size_t i = 0; i < all.size(); ++i) {
    OpChange& op = comparison.ops[all[i].op];
    op.change = std::expm1(judgements[i].estimate);
    op.p_value = adjusted[i];
    if (op.p_value < level)
      op.verdict = op.change > 0 ? OpChange::Verdict::slower : OpChange::Verdict::faster;
  }
  if (all.empty()) return;
  // The t that the strictest of Holm's steps asks for, by bisection.
  double low = 0, high = 1e3;
  for (int i = 0; i < 60; ++i) {
    const double t = (low + high) / 2;
    const bool enough =
        student_t_two_sided(t, judgements[0].degrees) < level / static_cast<double>(all.size());
    (enough ? high : low) = t;
  }
  comparison.detectable = std::expm1(high * median(errors));
}

}  // namespace

Comparison compare_runs(std::span<const RunSamples> before, std::span<const RunSamples> after) {
  Comparison comparison;
  comparison.runs_before = static_cast<int>(before.size());
  comparison.runs_after = static_cast<int>(after.size());
  comparison.paired = before.size() == after.size() && before.size() > 1;
  std::set<OpKey> keys;
  for (const auto& side : {before, after})
    for (const RunSamples& run : side)
      for (const auto& [key, samples] : run.ops) keys.insert(key);
  std::vector<std::pair<Side, Side>> sides;
  for (const OpKey& key : keys) {
    sides.emplace_back(side_of(before, key), side_of(after, key));
    comparison.total_before += sides.back().first.seconds;
    comparison.total_after += sides.back().second.seconds;
  }
  if (comparison.total_before <= 0 || comparison.total_after <= 0)
    fail_input("[compare] operations on both sides expected, {} has none",
               comparison.total_before <= 0 ? "the first" : "the second");
  std::vector<Evidence> evidence;
  for (const OpKey& key : keys) {
    const auto& [a, b] = sides[comparison.ops.size()];
    OpChange op;
    op.key = key;
    op.before = a.samples;
    op.after = b.samples;
    op.seconds_before = a.seconds;
    op.seconds_after = b.seconds;
    op.share = std::max(a.seconds / comparison.total_before, b.seconds / comparison.total_after);
    if (a.samples.seconds.empty() || b.samples.seconds.empty()) {
      op.verdict = a.samples.seconds.empty() ? OpChange::Verdict::appeared : OpChange::Verdict::vanished;
    } else if (op.share < kLeastShare || a.seconds <= 0 || b.seconds <= 0) {
      op.verdict = OpChange::Verdict::too_small;
    } else {
      evidence.push_back(evidence_of(before, after, comparison.paired, comparison.ops.size(), key, a, b));
    }
    comparison.ops.push_back(std::move(op));
  }
  if (evidence.empty()) fail_input("[compare] operations in common expected, the two sides share none");
  comparison.shift = std::expm1(take_out_shift(evidence));
  if (comparison.paired) pull_in_outliers(evidence);
  give_verdicts(evidence, comparison.paired, comparison);
  for (OpChange& op : comparison.ops) op.cause = cause_of(op);
  comparison.environment = environment_changes(before.front(), after.front());
  // What the code changed in seconds: the common shift is the machine's.
  const auto weight = [&](const OpChange& op) {
    const bool judged = op.verdict == OpChange::Verdict::faster || op.verdict == OpChange::Verdict::slower;
    const double seconds = std::abs(op.change) * op.seconds_before;
    return std::pair(judged, judged ? seconds : std::abs(op.cost()));
  };
  std::stable_sort(comparison.ops.begin(), comparison.ops.end(),
                   [&](const OpChange& a, const OpChange& b) { return weight(a) > weight(b); });
  return comparison;
}

double worst_slow_down(const Comparison& comparison) noexcept {
  double worst = 0;
  for (const OpChange& op : comparison.ops)
    if (op.verdict == OpChange::Verdict::slower) worst = std::max(worst, op.change);
  return worst;
}

}  // namespace smallmind
