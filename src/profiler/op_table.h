// Where the time went: the events of a recording summed by what they are.
//
// Exclusive time is an interval's time without the intervals inside it, so that over all rows it adds up to
// the time of the threads; inclusive time counts an interval that nests in its like once. A row is one
// (name, phase) or, as asked for, one (name, phase, layer, shape). Workers' shares of an op stand in its row,
// apart from the calls of the op itself: its GFLOP/s are its FLOPs over its own inclusive time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "profiler/duration_histogram.h"
#include "profiler/recording.h"

namespace smallmind {

struct OpTableOptions {
  bool by_layer = false;
  bool by_shape = false;
  // Which part of the recording: everything; the first repeat of each pass; the later ones. Waits and idle
  // times follow the same choice.
  enum class Passes : std::uint8_t { all, cold, warm } passes = Passes::all;
  std::string pass_name{};      // only passes of this name; empty: any
  std::optional<int> repeat{};  // only this repeat; overrides `passes`
};

// Times in seconds.
struct OpRow {
  std::string name;
  ZoneKind kind = ZoneKind::zone;  // zone or op
  Phase phase = Phase::none;
  int layer = -1;                       // -1: none, or not asked for
  std::array<std::int32_t, 3> shape{};  // zeros: none, or not asked for
  std::int64_t calls = 0;
  double exclusive = 0, inclusive = 0;
  double share = 0;                                        // what workers did for it, without their waits
  double wait = 0;                                         // of the caller and the workers, inside it
  double mean = 0, least = 0, p50 = 0, p95 = 0, most = 0;  // of the inclusive times of its calls
  double flops = 0, bytes = 0;
  std::uint64_t arena_bytes = 0;                       // its own and those of zones inside
  std::uint64_t heap_allocations = 0, heap_bytes = 0;  // its own, without zones inside

  double gflops() const noexcept { return inclusive > 0 ? flops / inclusive * 1e-9 : 0; }
  double gbps() const noexcept { return inclusive > 0 ? bytes / inclusive * 1e-9 : 0; }
};

// One thread's time, in seconds. present = busy + wait + idle + outside.
struct ThreadRow {
  std::string name;
  double present = 0;  // in the chosen part of the recording
  double busy = 0;     // in zones and shares, exclusive
  double wait = 0;     // for other threads inside a region
  double idle = 0;     // between regions
  double outside = 0;  // in no zone
  double cpu = 0;      // of the whole recording, by the system's clock of the thread
  std::uint64_t events = 0, dropped = 0;
};

struct OpTable {
  std::vector<OpRow> rows;  // by exclusive time plus share, largest first
  std::vector<ThreadRow> threads;
  double wall = 0;    // seconds of the chosen part: of its passes, or of the whole recording
  double tokens = 0;  // of the chosen passes
  int passes = 0;

  const OpRow* find(std::string_view name, Phase phase) const noexcept;  // the first such row, or null
};

OpTable make_op_table(const Recording& recording, const OpTableOptions& options = {});

// Calls visit(pass, its table) for each of recording.passes(), in their order, from one walk over the events.
// These tables have no least, p50, p95 and most. Throws Error{bad_input} where they would take gigabytes.
void for_each_pass(const Recording& recording, const OpTableOptions& options,
                   const std::function<void(const RecordedPass&, const OpTable&)>& visit);

// The `most` largest rows as plain text, with what is outside of zones, waits and idle times.
std::string op_table_text(const OpTable& table, std::size_t most = 20);

}  // namespace smallmind
