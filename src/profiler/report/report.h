// What a recording says, computed once: the data that every report shows.
//
//   const Report report = make_report(Recording::open("run.smprof"));
//
// The renderers (render.h) are pure functions of it, so that the terminal, the page and the JSON cannot
// disagree. Times are seconds unless a name says otherwise. Exclusive times of the calling threads, their
// waits and what lies outside of zones add up to the wall time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "machine/roofline.h"
#include "profiler/op_table.h"
#include "profiler/recording.h"
#include "profiler/report/call_tree.h"
#include "profiler/report/lanes.h"
#include "profiler/report/roof.h"
#include "profiler/statistics.h"

namespace smallmind {

struct ReportOptions {
  std::size_t top = 20;   // rows per table of text and Markdown
  bool by_layer = false;  // one row per layer
  bool by_shape = false;  // one row per shape
  bool lanes = false;     // time lines of the threads, which only the page shows
};

struct ReportRow {
  OpRow op;
  double wall_share = 0;  // exclusive time of the calling threads over the wall time
  RoofUse roof;
};

// The rows of one part of the recording.
struct ReportTable {
  std::string part;  // "warm", "cold", "all"
  std::vector<ReportRow> rows;
  std::vector<ThreadRow> threads;  // callers before workers
  double wall = 0, tokens = 0;
  int passes = 0;
};

// Sums over the rows of a phase, or of a layer of a phase.
struct SumRow {
  Phase phase = Phase::none;
  int layer = -1;  // -1: of the phase
  std::int64_t calls = 0;
  double exclusive = 0, wall_share = 0;
  double caller_wait = 0;  // of calling threads, for others; only per phase
  double flops = 0, bytes = 0;
  std::uint64_t heap_allocations = 0, heap_bytes = 0;
};

// All repeats of one measured piece of work.
struct PassGroup {
  std::string name;
  Phase phase = Phase::none;
  std::optional<double> cold;  // seconds of the first pass
  std::vector<double> warm;    // of each later one
  double tokens = 0;           // of one pass; 0: nothing countable

  double centre() const { return median(warm); }
  double deviation() const { return median_deviation(warm); }
  Interval interval() const { return median_interval(warm); }
  // Of all warm passes.
  double warm_tokens() const { return tokens * static_cast<double>(warm.size()); }
  double tokens_per_second() const { return warm.empty() || centre() <= 0 ? 0 : tokens / centre(); }
};

struct MemoryCategoryRow {
  std::string name;
  std::int64_t peak = 0, last = 0;
};

// Bytes by category over time, thinned to what a plot can show: the greatest total of each stretch.
struct MemoryReport {
  std::vector<MemoryCategoryRow> categories;
  std::int64_t peak = 0;                               // greatest total
  double peak_at = 0;                                  // when, seconds since the beginning
  std::vector<double> times;                           // seconds
  std::vector<std::vector<std::int64_t>> bytes;        // (times, categories)
  std::uint64_t heap_allocations = 0, heap_bytes = 0;  // inside zones of the whole recording
  std::uint64_t arena_bytes = 0;                       // handed out inside zones
};

enum class InsightLevel : std::uint8_t { good, note, warning };

struct Insight {
  InsightLevel level = InsightLevel::note;
  std::string text;  // one sentence with its numbers
};

struct Report {
  std::string workload;                         // its name, "recording" where the file does not tell
  std::string workload_json, environment_json;  // objects, "{}" where the file has none
  std::vector<std::pair<std::string, std::string>> environment;  // for people
  std::optional<Roofline> roofline;
  bool complete = true;
  double wall = 0;  // of the whole recording
  int pool_threads = 1;
  std::uint64_t events = 0, dropped = 0;
  std::vector<PassGroup> passes;
  ReportTable main;                    // the warm passes where there are any, else everything
  std::optional<ReportTable> cold;     // the first passes, where main holds the warm ones
  std::vector<SumRow> phases, layers;  // of main
  CallTree calls;                      // of everything
  MemoryReport memory;
  std::vector<LaneView> lanes;         // only with ReportOptions::lanes,
  std::vector<LaneLabel> lane_labels;  // and what LaneSpan::site stands for in them
  std::vector<Insight> insights;
};

// Walks the recording a few times. Throws Error{bad_input} for sections that are no JSON objects.
Report make_report(const Recording& recording, const ReportOptions& options = {});

// The row that goes furthest beyond the peak of multiply-adds, by 2 % or more, so that this must be wrong; or
// null. Bandwidths prove nothing: data may stay closer than an op's bytes suggest.
const ReportRow* beyond_roof(const Report& report);

// What the numbers say, in plain words; called by make_report().
std::vector<Insight> find_insights(const Report& report);

}  // namespace smallmind
