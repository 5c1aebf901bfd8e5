// A workload's parts as tables for people; see workload_report.h.
#include <fmt/format.h>

#include <algorithm>

#include "profiler/workload_report.h"

namespace smallmind {
namespace {

using Row = std::vector<std::string>;

std::string figure(double value) {
  const double size = std::abs(value);
  return fmt::format("{:.{}f}", value, size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : size > 0 ? 4 : 0);
}

std::string megabytes(double bytes) {
  return bytes <= 0 ? "0" : fmt::format("{:.{}f}", 1e-6 * bytes, bytes < 1e3 ? 6 : bytes < 1e5 ? 4 : 2);
}

std::string ratio_text(double ratio) {
  return ratio <= 0 ? "-" : fmt::format("{}x", figure(ratio));
}

Row speed_row(const PartResult& p) {
  return {p.part,
          p.mode,
          p.unit,
          figure(p.cold),
          figure(p.median),
          fmt::format("{:.1f} %", p.median > 0 ? 100 * p.deviation / p.median : 0),
          fmt::format("{} .. {}", figure(p.interval.low), figure(p.interval.high)),
          std::to_string(p.repeats),
          p.best_then > 0 ? figure(p.best_then) : "-",
          ratio_text(p.ratio())};
}

const Row kSpeedHead = {"part", "mode",          "unit",    "cold",      "warm",
                        "MAD",  "95 % interval", "repeats", "best then", "ratio"};

Row memory_row(const PartResult& p) {
  return {p.part,
          p.mode,
          p.item,
          p.heap_allocations ? figure(*p.heap_allocations) : "not counted",
          p.heap_bytes ? megabytes(*p.heap_bytes) : "not counted",
          megabytes(p.arena_bytes),
          p.heap_bytes_then > 0 ? megabytes(p.heap_bytes_then) : "-"};
}

const Row kMemoryHead = {"part", "mode", "per", "heap allocations", "heap MB", "arena MB", "heap MB then"};

Row latency_row(const PartResult& p) {
  const TokenLatency& l = *p.latency;
  return {p.part,
          p.mode,
          figure(l.first_cold),
          figure(l.first),
          figure(l.p50),
          figure(l.p95),
          l.best_then > 0 ? figure(l.best_then) : "-",
          ratio_text(l.best_then > 0 && l.first > 0 ? l.best_then / l.first : 0)};
}

const Row kLatencyHead = {"part",          "mode",          "first token cold", "first token",
                          "per token p50", "per token p95", "first token then", "ratio"};

// What all rows leave empty is left out. Text columns are to the left, numbers to the right.
std::vector<std::size_t> used_columns(const std::vector<Row>& rows) {
  std::vector<std::size_t> used;
  for (std::size_t c = 0; c < rows.front().size(); ++c)
    if (std::any_of(rows.begin() + 1, rows.end(),
                    [&](const Row& row) { return !row[c].empty() && row[c] != "-"; }))
      used.push_back(c);
  return used;
}

std::string plain_table(const std::vector<Row>& rows, std::size_t text_columns) {
  std::string text;
  const std::vector<std::size_t> used = used_columns(rows);
  for (const Row& row : rows) {
    std::string line;
    for (const std::size_t c : used) {
      std::size_t width = 0;
      for (const Row& other : rows) width = std::max(width, other[c].size());
      line +=
          c < text_columns ? fmt::format("{:<{}}  ", row[c], width) : fmt::format("{:>{}}  ", row[c], width);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string markdown_table(const std::vector<Row>& rows, std::size_t text_columns) {
  const std::vector<std::size_t> used = used_columns(rows);
  std::string text, rule = "|";
  for (const std::size_t c : used) rule += c < text_columns ? " --- |" : " ---: |";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += "|";
    for (const std::size_t c : used) text += " " + rows[i][c] + " |";
    text += "\n" + (i == 0 ? rule + "\n" : "");
  }
  return text;
}

using Table = std::string (*)(const std::vector<Row>&, std::size_t);

std::string tables(const WorkloadReport& report, Table table, const char* gap) {
  std::vector<Row> speed = {kSpeedHead}, memory = {kMemoryHead}, latency = {kLatencyHead};
  for (const PartResult& part : report.parts) {
    speed.push_back(speed_row(part));
    memory.push_back(memory_row(part));
    if (part.latency) latency.push_back(latency_row(part));
  }
  if (report.parts.empty()) return "nothing was measured\n";
  std::string text = table(speed, 3);
  if (latency.size() > 1) text += fmt::format("{}Milliseconds{}{}", gap, gap, table(latency, 2));
  return text + fmt::format("{}Memory of the calling thread{}{}", gap, gap, table(memory, 3));
}

std::string state_text(const WorkloadReport& report) {
  std::string text = fmt::format("{} threads, seed {}, {:.1f} s, others took {:.1f} % of the CPUs",
                                 report.threads, report.seed, report.seconds, 100 * report.foreign_share);
  if (report.disturbed) text += ": disturbed, measure again";
  if (report.stopped) text += "; stopped before its end";
  if (report.dropped > 0) text += fmt::format("; {} events were not recorded", report.dropped);
  return text;
}

}  // namespace

std::string workload_text(const WorkloadReport& report) {
  return fmt::format("{}: {}\n{}\n\n{}", report.name, report.what, state_text(report),
                     tables(report, plain_table, "\n"));
}

std::string workload_markdown(const WorkloadReport& report) {
  return fmt::format("## {}\n\n{}. {}.\n\n{}", report.name, report.what, state_text(report),
                     tables(report, markdown_table, "\n"));
}

}  // namespace smallmind
