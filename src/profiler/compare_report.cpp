// One list of tables, two ways to draw them: aligned columns for a terminal, pipes for Markdown. JSON carries
// every operation, not only the largest.
#include "profiler/compare_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

namespace smallmind {
namespace {

using Verdict = OpChange::Verdict;

constexpr const char* kVerdicts[] = {"faster", "slower", "unchanged", "too_small", "appeared", "vanished"};

std::string op_name(const OpKey& key) {
  std::string name = key.name;
  if (key.phase != Phase::none) name += fmt::format(" ({})", phase_name(key.phase));
  if (!key.pass.empty()) name += fmt::format(" in {}", key.pass);
  return name;
}

struct Table {
  std::string title;
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

std::string milliseconds(double seconds) {
  return fmt::format("{:.4g}", 1e3 * seconds);
}

// The operations of one verdict, at most options.most of them: comparison.ops has the largest first.
Table time_table(const Comparison& comparison, Verdict verdict, std::string title, std::size_t most) {
  Table table{std::move(title), {"operation", "before ms", "after ms", "change", "p", "cause"}, {}};
  for (const OpChange& op : comparison.ops) {
    if (op.verdict != verdict || table.rows.size() == most) continue;
    const bool judged = verdict == Verdict::faster || verdict == Verdict::slower;
    table.rows.push_back({op_name(op.key), milliseconds(op.seconds_before), milliseconds(op.seconds_after),
                          judged ? fmt::format("{:+.1f} %", 100 * op.change) : "",
                          judged ? fmt::format("{:.2g}", op.p_value) : "", judged ? op.cause : ""});
  }
  return table;
}

Table count_table(const Comparison& comparison, std::string title, double OpSamples::*count,
                  std::size_t most) {
  Table table{std::move(title), {"operation", "before", "after", "difference"}, {}};
  std::vector<const OpChange*> changed;
  for (const OpChange& op : comparison.ops)
    if (op.before.*count != op.after.*count) changed.push_back(&op);
  std::stable_sort(changed.begin(), changed.end(), [&](const OpChange* a, const OpChange* b) {
    return std::abs(a->after.*count - a->before.*count) > std::abs(b->after.*count - b->before.*count);
  });
  for (const OpChange* op : changed) {
    if (table.rows.size() == most) break;
    table.rows.push_back({op_name(op->key), fmt::format("{:.0f}", op->before.*count),
                          fmt::format("{:.0f}", op->after.*count),
                          fmt::format("{:+.0f}", op->after.*count - op->before.*count)});
  }
  return table;
}

std::vector<Table> tables_of(const Comparison& comparison, std::size_t most) {
  return {time_table(comparison, Verdict::slower, "Slower", most),
          time_table(comparison, Verdict::faster, "Faster", most),
          time_table(comparison, Verdict::appeared, "Appeared", most),
          time_table(comparison, Verdict::vanished, "Vanished", most),
          count_table(comparison, "Heap allocations per pass", &OpSamples::heap_allocations, most),
          count_table(comparison, "Heap bytes per pass", &OpSamples::heap_bytes, most),
          count_table(comparison, "Arena bytes per pass", &OpSamples::arena_bytes, most),
          count_table(comparison, "Calls per pass", &OpSamples::calls, most)};
}

long count_of(const Comparison& comparison, Verdict verdict) {
  return std::count_if(comparison.ops.begin(), comparison.ops.end(),
                       [&](const OpChange& op) { return op.verdict == verdict; });
}

std::vector<std::string> summary(const Comparison& comparison, const CompareReportOptions& options) {
  std::vector<std::string> lines = {
      fmt::format(
          "{} -> {}: {} and {} recordings, {}", options.before, options.after, comparison.runs_before,
          comparison.runs_after,
          comparison.paired ? "taken as blocks that alternated" : "held against each other as wholes"),
      fmt::format("Time of all operations and threads per pass: {} -> {} ms ({:+.1f} %)",
                  milliseconds(comparison.total_before), milliseconds(comparison.total_after),
                  100 * (comparison.total_after / comparison.total_before - 1)),
      fmt::format(
          "Common to all operations: {:+.1f} %, taken for the machine's doing (clock, neighbours), not the "
          "code's; the changes below do not contain it",
          100 * comparison.shift),
      fmt::format(
          "{} slower, {} faster, {} without significant change, {} too small to judge; a typical operation "
          "must change by {:.1f} % to be told",
          count_of(comparison, Verdict::slower), count_of(comparison, Verdict::faster),
          count_of(comparison, Verdict::unchanged), count_of(comparison, Verdict::too_small),
          100 * comparison.detectable)};
  for (const std::string& line : comparison.environment) lines.push_back("Differs: " + line);
  return lines;
}

std::string aligned(const Table& table) {
  std::vector<std::size_t> widths(table.head.size());
  const auto widen = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  };
  widen(table.head);
  for (const auto& row : table.rows) widen(row);
  std::string text = table.title + "\n";
  const auto draw = [&](const std::vector<std::string>& row) {
    std::string line = fmt::format("  {:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i < row.size(); ++i) {
      const bool words = table.head[i] == "cause";
      line += words ? "  " + row[i] : fmt::format("  {:>{}}", row[i], widths[i]);
    }
    text += line + "\n";
  };
  draw(table.head);
  for (const auto& row : table.rows) draw(row);
  return text;
}

std::string piped(const Table& table) {
  std::string text = "## " + table.title + "\n\n";
  const auto draw = [&](const std::vector<std::string>& row) {
    for (const std::string& cell : row) text += "| " + cell + " ";
    text += "|\n";
  };
  draw(table.head);
  for (std::size_t i = 0; i < table.head.size(); ++i) text += "| --- ";
  text += "|\n";
  for (const auto& row : table.rows) draw(row);
  return text;
}

nlohmann::ordered_json side_json(const OpSamples& samples, double seconds) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const double run : samples.seconds) runs.push_back(1e3 * run);
  return {{"ms", 1e3 * seconds},
          {"ms_of_runs", runs},
          {"wait_ms", 1e3 * samples.wait},
          {"calls", samples.calls},
          {"flops", samples.flops},
          {"bytes", samples.bytes},
          {"heap_allocations", samples.heap_allocations},
          {"heap_bytes", samples.heap_bytes},
          {"arena_bytes", samples.arena_bytes}};
}

}  // namespace

std::string compare_text(const Comparison& comparison, const CompareReportOptions& options) {
  std::string text;
  for (const std::string& line : summary(comparison, options)) text += line + "\n";
  for (const Table& table : tables_of(comparison, options.most))
    if (!table.rows.empty()) text += "\n" + aligned(table);
  return text;
}

std::string compare_markdown(const Comparison& comparison, const CompareReportOptions& options) {
  std::string text = "# Comparison\n\n";
  for (const std::string& line : summary(comparison, options)) text += "- " + line + "\n";
  for (const Table& table : tables_of(comparison, options.most))
    if (!table.rows.empty()) text += "\n" + piped(table);
  return text;
}

std::string compare_json(const Comparison& comparison, const CompareReportOptions& options) {
  nlohmann::ordered_json ops = nlohmann::ordered_json::array();
  for (const OpChange& op : comparison.ops)
    ops.push_back({{"name", op.key.name},
                   {"phase", phase_name(op.key.phase)},
                   {"pass", op.key.pass},
                   {"verdict", kVerdicts[static_cast<int>(op.verdict)]},
                   {"change", op.change},
                   {"p_value", op.p_value},
                   {"share", op.share},
                   {"cause", op.cause},
                   {"before", side_json(op.before, op.seconds_before)},
                   {"after", side_json(op.after, op.seconds_after)}});
  const nlohmann::ordered_json document = {{"before", options.before},
                                           {"after", options.after},
                                           {"runs_before", comparison.runs_before},
                                           {"runs_after", comparison.runs_after},
                                           {"paired", comparison.paired},
                                           {"total_before_ms", 1e3 * comparison.total_before},
                                           {"total_after_ms", 1e3 * comparison.total_after},
                                           {"common_shift", comparison.shift},
                                           {"detectable_change", comparison.detectable},
                                           {"environment", comparison.environment},
                                           {"ops", ops}};
  return document.dump(2) + "\n";
}

}  // namespace smallmind
