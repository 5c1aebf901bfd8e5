// What the numbers say, in plain words. Each finding is a function of the report that gives a sentence with
// its numbers, or nothing; the thresholds are those below which a reader could do nothing about it.
#include <fmt/format.h>

#include <algorithm>

#include "profiler/report/report.h"

namespace smallmind {
namespace {

using Insights = std::vector<Insight>;

void add(Insights& out, InsightLevel level, std::string text) {
  out.push_back({level, std::move(text)});
}

std::string row_name(const OpRow& row) {
  std::string name = row.name;
  if (row.phase != Phase::none) name += fmt::format(" ({})", phase_name(row.phase));
  if (row.layer >= 0) name += fmt::format(" of layer {}", row.layer);
  return name;
}

double percent(double part, double whole) {
  return whole > 0 ? 100 * part / whole : 0;
}

std::string roof_text(const RoofUse& roof) {
  const char* threads = roof.threads == 1 ? "1 thread" : "all threads";
  if (roof.bound == RoofBound::compute) return fmt::format("the multiply-add peak of {}", threads);
  return fmt::format("the {} roof of {} with {}", stream_name(roof.stream), bound_name(roof.bound), threads);
}

bool exceeds(const ReportRow& row) {
  return row.roof.share > 1.02 && row.wall_share > 0.01;
}

// FLOPs are what a formula says. Data may stay closer than an op's bytes suggest.
bool roof_is_wrong(const ReportRow& row) {
  return exceeds(row) && row.roof.bound == RoofBound::compute;
}

// One sentence for all of them, by the row that goes furthest.
void exceeded_roofs(const Report& report, Insights& out) {
  const ReportRow* furthest = beyond_roof(report);
  int others = -1;
  for (const ReportRow& row : report.main.rows) {
    if (!exceeds(row)) continue;
    ++others;
    if (furthest == nullptr) furthest = &row;
  }
  if (furthest == nullptr) return;
  const RoofUse& roof = furthest->roof;
  std::string text = fmt::format("{} exceeds {} by {:.0f} %", row_name(furthest->op), roof_text(roof),
                                 100 * (roof.share - 1));
  if (others > 0) text += fmt::format(", and {} more exceed theirs", others);
  text +=
      roof_is_wrong(*furthest)
          ? ": that roof must be wrong, measured on a busy machine"
          : ": its data stays closer than the bytes it declares suggest, or the roof was measured too low";
  add(out, InsightLevel::warning, text + " (`smallmind doctor --fresh` measures it anew).");
}

// The recording itself: what it misses and what disturbed it.
void check_recording(const Report& report, Insights& out) {
  if (!report.complete)
    add(out, InsightLevel::warning,
        "The recording was cut short: what came after its last whole chunk is missing.");
  if (report.dropped > 0)
    add(out, InsightLevel::warning,
        fmt::format("{} events ({:.2f} %) were dropped because a ring was full: calls and times are too low.",
                    report.dropped,
                    percent(static_cast<double>(report.dropped),
                            static_cast<double>(report.dropped + report.events))));
  if (!report.roofline)
    add(out, InsightLevel::note,
        "The recording holds no roofline, so shares of the machine's limit are unknown.");
  else if (report.roofline->disturbed)
    add(out, InsightLevel::warning,
        "Other programs took our cores while the roofline was measured: it is too low, and shares of it too "
        "high.");
  for (const ThreadRow& thread : report.main.threads) {
    // A thread's clock covers the whole recording; so only one that was busy for nearly all of it can tell.
    const double taken = thread.present - thread.cpu;
    if (report.main.part == "all" && thread.cpu > 0 && thread.busy > 0.5 * thread.present &&
        thread.busy > 1.03 * thread.cpu)
      add(out, InsightLevel::warning,
          fmt::format(
              "A disturbed machine: {} had a core for only {:.0f} % of its {:.2f} s, {:.2f} s went to others "
              "or to waiting for the system.",
              thread.name, percent(thread.cpu, thread.present), thread.present, taken));
  }
  exceeded_roofs(report, out);
}

void hottest(const Report& report, Insights& out) {
  if (report.main.rows.empty() || report.main.rows.front().wall_share < 0.05) return;
  const ReportRow& row = report.main.rows.front();
  std::string text =
      fmt::format("{} takes {:.0f} % of the wall time", row_name(row.op), 100 * row.wall_share);
  InsightLevel level = InsightLevel::note;
  if (exceeds(row)) {
    text += fmt::format("; its share of {} reads {:.0f} % and says nothing", roof_text(row.roof),
                        100 * row.roof.share);
  } else if (row.roof.share >= 0) {
    text += fmt::format(" and reaches {:.0f} % of {}", 100 * row.roof.share, roof_text(row.roof));
    if (row.roof.share >= 0.8) {
      level = InsightLevel::good;
      text += ": only touching less data or computing less would make it faster";
      if (row.roof.bound == RoofBound::compute)
        text.replace(text.rfind("touching"), std::string::npos, "computing less would make it faster");
    }
  }
  add(out, level, text + ".");
}

// The op with the most time above what the machine allows.
void largest_gain(const Report& report, Insights& out) {
  const ReportRow* best = nullptr;
  const auto gain = [](const ReportRow& row) {
    return row.roof.share < 0 || row.op.kind != ZoneKind::op ? 0 : row.op.inclusive - row.roof.least;
  };
  for (const ReportRow& row : report.main.rows)
    if (gain(row) > (best == nullptr ? 0 : gain(*best))) best = &row;
  if (best == nullptr || gain(*best) < 0.05 * report.main.wall) return;
  add(out, InsightLevel::note,
      fmt::format("The largest gain lies in {}: at its roof ({}) it would save {:.2f} ms, {:.0f} % of the "
                  "wall time; it "
                  "is at {:.0f} %.",
                  row_name(best->op), roof_text(best->roof), 1e3 * gain(*best),
                  percent(gain(*best), report.main.wall), 100 * best->roof.share));
}

// What the pool's workers did in a phase.
double worked_in(const Report& report, Phase phase) {
  double seconds = 0;
  for (const ReportRow& row : report.main.rows)
    if (row.op.phase == phase) seconds += row.op.share;
  return seconds;
}

void waits(const Report& report, Insights& out) {
  for (const SumRow& phase : report.phases) {
    const double whole = phase.exclusive + phase.caller_wait;
    const double share = percent(phase.caller_wait, whole);
    if (share < 15 || whole < 0.05 * report.main.wall) continue;
    const char* name = phase.phase == Phase::none ? "Work outside of phases" : phase_name(phase.phase);
    std::string text = fmt::format("{} spends {:.0f} % of its time in barriers ({:.2f} of {:.2f} ms)", name,
                                   share, 1e3 * phase.caller_wait, 1e3 * whole);
    const double worked = worked_in(report, phase.phase);
    if (worked < 0.5 * phase.caller_wait)
      text +=
          fmt::format(", while the workers worked for only {:.2f} ms (they had no core, or had to be woken)",
                      1e3 * worked);
    if (phase.phase == Phase::decode && report.pool_threads > 1)
      text += report.pool_threads == 2 ? ": try 1 thread"
                                       : fmt::format(": try {} threads", report.pool_threads / 2);
    else
      text += ": its parts are too small or uneven for so many threads";
    add(out, InsightLevel::warning, text + ".");
  }
}

void idle_workers(const Report& report, Insights& out) {
  double present = 0, idle = 0;
  for (const ThreadRow& thread : report.main.threads) {
    if (thread.idle <= 0) continue;
    present += thread.present;
    idle += thread.idle;
  }
  const double share = percent(idle, present);
  if (share > 40)
    add(out, InsightLevel::note,
        fmt::format(
            "The pool's workers are idle for {:.0f} % of the time: that part of the work runs on one thread.",
            share));
}

void cold_against_warm(const Report& report, Insights& out) {
  for (const PassGroup& group : report.passes) {
    if (!group.cold || group.warm.empty() || group.centre() <= 0) continue;
    const double ratio = *group.cold / group.centre();
    if (ratio > 1.5)
      add(out, InsightLevel::note,
          fmt::format(
              "The first {} took {:.1f} times as long as a warm one ({:.3f} against {:.3f} ms): page faults, "
              "packing and empty caches.",
              group.name, ratio, 1e3 * *group.cold, 1e3 * group.centre()));
    const double spread = percent(kDeviationToSigma * group.deviation(), group.centre());
    if (group.warm.size() >= 3 && spread > 5)
      add(out, InsightLevel::warning,
          fmt::format("Repeats of {} spread by {:.0f} % (standard deviation estimated from the MAD): a busy "
                      "machine, or "
                      "work that differs from repeat to repeat.",
                      group.name, spread));
  }
}

void long_tails(const Report& report, Insights& out) {
  for (const ReportRow& row : report.main.rows) {
    const OpRow& op = row.op;
    if (op.kind != ZoneKind::op || op.calls < 20 || op.p50 <= 0 || op.most < 0.02 * report.main.wall)
      continue;
    if (op.most > 20 * op.p95)
      add(out, InsightLevel::note,
          fmt::format(
              "One call of {} took {:.2f} ms, {:.0f} times its median of {:.4f} ms: it was interrupted.",
              row_name(op), 1e3 * op.most, op.most / op.p50, 1e3 * op.p50));
  }
}

void outside(const Report& report, Insights& out) {
  if (report.main.threads.empty()) return;
  const ThreadRow& caller = report.main.threads.front();
  const double share = percent(caller.outside, caller.present);
  if (share > 10)
    add(out, InsightLevel::note, fmt::format("{:.0f} % of {}'s time lies in no zone.", share, caller.name));
}

void heap(const Report& report, Insights& out) {
  std::uint64_t allocations = 0, bytes = 0;
  const ReportRow* most = nullptr;
  for (const ReportRow& row : report.main.rows) {
    allocations += row.op.heap_allocations;
    bytes += row.op.heap_bytes;
    if (most == nullptr || row.op.heap_allocations > most->op.heap_allocations) most = &row;
  }
  if (most == nullptr || report.main.part != "warm") return;
  if (allocations == 0) {
    add(out, InsightLevel::good, "No heap allocation in any warm pass.");
    return;
  }
  std::string text = fmt::format("Warm passes allocate {} times on the heap ({:.1f} KiB)", allocations,
                                 static_cast<double>(bytes) / 1024);
  if (report.main.tokens > 0)
    text += fmt::format(", {:.2f} times per token", static_cast<double>(allocations) / report.main.tokens);
  add(out, InsightLevel::note, fmt::format("{}, most of them in {}.", text, row_name(most->op)));
}

}  // namespace

const ReportRow* beyond_roof(const Report& report) {
  const ReportRow* furthest = nullptr;
  for (const ReportRow& row : report.main.rows)
    if (roof_is_wrong(row) && (furthest == nullptr || row.roof.share > furthest->roof.share)) furthest = &row;
  return furthest;
}

std::vector<Insight> find_insights(const Report& report) {
  Insights out;
  check_recording(report, out);
  waits(report, out);
  hottest(report, out);
  largest_gain(report, out);
  cold_against_warm(report, out);
  idle_workers(report, out);
  long_tails(report, out);
  outside(report, out);
  heap(report, out);
  std::stable_sort(out.begin(), out.end(),
                   [](const Insight& a, const Insight& b) { return a.level > b.level; });
  return out;
}

}  // namespace smallmind
