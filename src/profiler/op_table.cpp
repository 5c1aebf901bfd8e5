// Sums over a walk from outer to inner intervals: an interval's time is added to its own row and taken from
// the row of the one that holds it, which leaves exclusive times. See op_table.h.
#include "profiler/op_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"

namespace smallmind {
namespace {

// The parts of time that tables are made of: passes in order, with the table that each goes to (-1: none).
struct Window {
  std::uint64_t begin, end;
  int table;
};

// Differences pass below zero on the way; unsigned arithmetic bears that, and the numbers of a damaged file.
struct Sums {
  std::int64_t calls = 0;
  std::uint64_t exclusive = 0, inclusive = 0, share = 0, wait = 0;  // ticks
  double flops = 0, bytes = 0;
  std::uint64_t arena = 0, heap_allocations = 0, heap_bytes = 0;
  DurationHistogram durations;
};

struct ThreadSums {
  std::uint64_t present = 0, busy = 0, wait = 0, idle = 0;
};

using RowKey = std::tuple<std::string, ZoneKind, Phase, int, std::array<std::int32_t, 3>>;

class Builder {
 public:
  Builder(const Recording& recording, const OpTableOptions& options, std::vector<Window> windows, int tables)
      : recording_(recording),
        windows_(std::move(windows)),
        threads_(static_cast<std::size_t>(tables), std::vector<ThreadSums>(recording.threads().size())),
        row_count_(0) {
    const auto key_of = [&](const ZoneSite& site, ZoneKind kind) {
      const bool apart = kind != ZoneKind::pass;
      return RowKey{site.name, kind, site.work.phase, options.by_layer && apart ? site.work.layer : -1,
                    options.by_shape && apart ? site.work.shape : std::array<std::int32_t, 3>{}};
    };
    std::set<RowKey> callers;
    for (const ZoneSite& site : recording.sites())
      if (site.work.kind != ZoneKind::share) callers.insert(key_of(site, site.work.kind));
    for (const ZoneSite& site : recording.sites()) {
      ZoneKind kind = site.work.kind;
      if (kind == ZoneKind::share) {  // belongs to what was open on the caller
        kind = ZoneKind::op;
        for (const ZoneKind caller : {ZoneKind::pass, ZoneKind::zone, ZoneKind::op})
          if (callers.contains(key_of(site, caller))) kind = caller;
      }
      const auto [entry, fresh] = keys_.emplace(key_of(site, kind), row_count_);
      row_count_ += fresh;
      row_of_site_.push_back(entry->second);
    }
    sums_.assign(static_cast<std::size_t>(tables), std::vector<Sums>(row_count_));
    for (std::size_t t = 0; t < recording.threads().size(); ++t) walk(t);
  }

  OpTable table(int index) const;

 private:
  struct Frame {
    std::uint64_t begin;
    std::size_t row;
    ZoneKind kind;
    int table;
  };

  void walk(std::size_t thread);
  void add(std::size_t thread, const ZoneEvent& event, int table);
  template <typename F>
  void for_overlaps(std::uint64_t begin, std::uint64_t end, F&& f) const {
    auto w = std::lower_bound(windows_.begin(), windows_.end(), begin,
                              [](const Window& x, std::uint64_t at) { return x.end <= at; });
    for (; w != windows_.end() && w->begin < end; ++w)
      if (w->table >= 0) f(w->table, std::min(end, w->end) - std::max(begin, w->begin));
  }
  int window_of(const ZoneEvent& event) const {
    const auto w = std::lower_bound(windows_.begin(), windows_.end(), event.begin,
                                    [](const Window& x, std::uint64_t at) { return x.end <= at; });
    return w != windows_.end() && w->begin <= event.begin && event.end <= w->end ? w->table : -1;
  }

  const Recording& recording_;
  std::vector<Window> windows_;  // by time, not overlapping
  std::map<RowKey, std::size_t> keys_;
  std::vector<std::size_t> row_of_site_;
  std::vector<std::vector<Sums>> sums_;           // (tables, rows)
  std::vector<std::vector<ThreadSums>> threads_;  // (tables, threads)
  std::vector<Frame> open_;                       // what holds the present event
  std::size_t row_count_;
};

void Builder::walk(std::size_t thread) {
  const RecordedThread& life = recording_.threads()[thread];
  const auto mine = [&](int table) -> ThreadSums& {
    return threads_[static_cast<std::size_t>(table)][thread];
  };
  for_overlaps(life.begin, life.end, [&](int table, std::uint64_t ticks) { mine(table).present += ticks; });
  open_.clear();
  bool last = true;
  std::uint64_t idle_from = life.end;  // of the idle time after; they do not overlap, whatever a file says
  EventCursor events = recording_.events(thread, EventOrder::outer_first);
  while (const ZoneEvent* event = events.next()) {
    const ZoneKind kind = recording_.sites()[event->site].work.kind;
    // A worker waits for work from its last region on.
    if (last && (kind == ZoneKind::share || kind == ZoneKind::idle))
      for_overlaps(event->end, life.end, [&](int table, std::uint64_t ticks) { mine(table).idle += ticks; });
    last = false;
    while (!open_.empty() && event->begin < open_.back().begin) open_.pop_back();
    if (kind == ZoneKind::idle) {  // may reach over the borders of passes
      const std::uint64_t end = std::min(event->end, idle_from);
      idle_from = std::min(event->begin, end);
      for_overlaps(idle_from, end, [&](int table, std::uint64_t ticks) { mine(table).idle += ticks; });
      continue;
    }
    const int table = window_of(*event);
    if (table >= 0) add(thread, *event, table);
    if (kind != ZoneKind::wait) open_.push_back({event->begin, row_of_site_[event->site], kind, table});
  }
}

void Builder::add(std::size_t thread, const ZoneEvent& event, int table) {
  const ZoneSite& site = recording_.sites()[event.site];
  const std::size_t index = row_of_site_[event.site];
  std::vector<Sums>& rows = sums_[static_cast<std::size_t>(table)];
  ThreadSums& mine = threads_[static_cast<std::size_t>(table)][thread];
  const std::uint64_t ticks = event.end - event.begin;
  const Frame* outer = open_.empty() ? nullptr : &open_.back();
  if (outer != nullptr && outer->table == table) {
    Sums& sums = rows[outer->row];
    (outer->kind == ZoneKind::share ? sums.share : sums.exclusive) -= ticks;
    sums.heap_allocations -= event.heap_allocations;
    sums.heap_bytes -= event.heap_bytes;
    mine.busy -= ticks;
    if (site.work.kind == ZoneKind::wait) sums.wait += ticks;
  }
  if (site.work.kind == ZoneKind::wait) {
    mine.wait += ticks;
    return;
  }
  mine.busy += ticks;
  Sums& sums = rows[index];
  sums.heap_allocations += event.heap_allocations;
  sums.heap_bytes += event.heap_bytes;
  if (site.work.kind == ZoneKind::share) {
    sums.share += ticks;
    return;
  }
  sums.exclusive += ticks;
  ++sums.calls;
  sums.durations.add(event.end - event.begin);
  const bool nested =
      std::any_of(open_.begin(), open_.end(), [&](const Frame& frame) { return frame.row == index; });
  if (!nested) {
    sums.inclusive += ticks;
    sums.arena += site.arena_bytes;
  }
  sums.flops += site.work.flops;
  sums.bytes += site.work.bytes;
}

OpTable Builder::table(int index) const {
  OpTable table;
  const auto seconds = [&](std::uint64_t ticks) {
    return recording_.seconds(1) * static_cast<double>(static_cast<std::int64_t>(ticks));
  };
  const auto which = static_cast<std::size_t>(index);
  for (const auto& [key, row] : keys_) {
    const Sums& s = sums_[which][row];
    if (s.calls == 0 && s.share == 0) continue;
    const auto& [name, kind, phase, layer, shape] = key;
    const double tick = recording_.seconds(1);
    const auto quantile = [&](double q) { return tick * static_cast<double>(s.durations.quantile(q)); };
    table.rows.push_back({.name = name,
                          .kind = kind,
                          .phase = phase,
                          .layer = layer,
                          .shape = shape,
                          .calls = s.calls,
                          .exclusive = seconds(s.exclusive),
                          .inclusive = seconds(s.inclusive),
                          .share = seconds(s.share),
                          .wait = seconds(s.wait),
                          .mean = s.calls == 0 ? 0 : seconds(s.inclusive) / static_cast<double>(s.calls),
                          .least = tick * static_cast<double>(s.durations.least()),
                          .p50 = quantile(0.5),
                          .p95 = quantile(0.95),
                          .most = tick * static_cast<double>(s.durations.most()),
                          .flops = s.flops,
                          .bytes = s.bytes,
                          .arena_bytes = s.arena,
                          .heap_allocations = s.heap_allocations,
                          .heap_bytes = s.heap_bytes});
  }
  std::stable_sort(table.rows.begin(), table.rows.end(), [](const OpRow& a, const OpRow& b) {
    return a.exclusive + a.share > b.exclusive + b.share;
  });
  for (std::size_t t = 0; t < recording_.threads().size(); ++t) {
    const ThreadSums& s = threads_[which][t];
    const RecordedThread& thread = recording_.threads()[t];
    table.threads.push_back({.name = thread.name,
                             .present = seconds(s.present),
                             .busy = seconds(s.busy),
                             .wait = seconds(s.wait),
                             .idle = seconds(s.idle),
                             .outside = seconds(s.present - s.busy - s.wait - s.idle),
                             .cpu = thread.cpu_seconds,
                             .events = thread.events,
                             .dropped = thread.dropped});
  }
  for (const Window& window : windows_)
    if (window.table == index) table.wall += recording_.seconds(window.end - window.begin);
  return table;
}

bool chosen(const RecordedPass& pass, const OpTableOptions& options) {
  if (!options.pass_name.empty() && pass.name != options.pass_name) return false;
  if (options.repeat) return pass.repeat == *options.repeat;
  switch (options.passes) {
    case OpTableOptions::Passes::cold:
      return pass.repeat == 0;
    case OpTableOptions::Passes::warm:
      return pass.repeat > 0;
    case OpTableOptions::Passes::all:
      break;
  }
  return true;
}

// Passes of one thread of control follow one another; one inside another is left out.
std::vector<Window> pass_windows(const Recording& recording) {
  std::vector<Window> windows;
  for (const RecordedPass& pass : recording.passes()) {
    const bool inside = !windows.empty() && pass.begin < windows.back().end;
    if (pass.begin < pass.end && !inside) windows.push_back({pass.begin, pass.end, -1});
  }
  return windows;
}

}  // namespace

const OpRow* OpTable::find(std::string_view name, Phase phase) const noexcept {
  for (const OpRow& row : rows)
    if (row.name == name && row.phase == phase) return &row;
  return nullptr;
}

OpTable make_op_table(const Recording& recording, const OpTableOptions& options) {
  using Passes = OpTableOptions::Passes;
  const bool everything = options.passes == Passes::all && options.pass_name.empty() && !options.repeat;
  std::vector<Window> windows;
  if (everything) windows.push_back({0, recording.ticks() + 1, 0});
  if (!everything) windows = pass_windows(recording);
  double tokens = 0;
  int passes = 0;
  for (const RecordedPass& pass : recording.passes()) {
    if (!chosen(pass, options)) continue;
    for (Window& window : windows)
      if (everything || (window.begin == pass.begin && window.end == pass.end)) {
        window.table = 0;
        tokens += pass.tokens;
        ++passes;
        break;
      }
  }
  OpTable table = Builder(recording, options, std::move(windows), 1).table(0);
  table.tokens = tokens;
  table.passes = passes;
  return table;
}

std::vector<OpTable> make_op_tables_by_pass(const Recording& recording, const OpTableOptions& options) {
  std::vector<Window> windows = pass_windows(recording);
  const std::vector<RecordedPass>& passes = recording.passes();
  const auto count = static_cast<int>(passes.size());
  constexpr std::size_t kMostCells = std::size_t{1} << 22;  // some 1 GB
  if (const std::size_t each = recording.sites().size() + recording.threads().size() + 1;
      passes.size() > kMostCells / each)
    fail_input("[profile] at most {} passes expected with {} sites and threads, {} found", kMostCells / each,
               each - 1, passes.size());
  for (int i = 0; i < count; ++i)
    for (Window& window : windows)
      if (window.table < 0 && window.begin == passes[static_cast<std::size_t>(i)].begin) {
        window.table = i;
        break;
      }
  const Builder builder(recording, options, std::move(windows), count);
  std::vector<OpTable> tables;
  for (int i = 0; i < count; ++i) {
    tables.push_back(builder.table(i));
    tables.back().tokens = passes[static_cast<std::size_t>(i)].tokens;
    tables.back().passes = 1;
  }
  return tables;
}

std::string op_table_text(const OpTable& table, std::size_t most) {
  double present = 0, wait = 0, idle = 0, outside = 0;
  for (const ThreadRow& thread : table.threads) {
    present += thread.present;
    wait += thread.wait;
    idle += thread.idle;
    outside += thread.outside;
  }
  const auto share = [&](double seconds) { return present > 0 ? 100 * seconds / present : 0; };
  const auto number = [](double value) {
    return value > 0 ? fmt::format("{:.1f}", value) : std::string("-");
  };
  std::string out =
      fmt::format("{:<26} {:>9} {:>10} {:>10} {:>10} {:>6} {:>9} {:>9} {:>9} {:>8}\n", "where", "calls",
                  "self ms", "workers ms", "total ms", "share", "p50 us", "p95 us", "GFLOP/s", "GB/s");
  const auto line = [&](std::string_view what, double seconds) {
    out += fmt::format("{:<26} {:>9} {:>10.2f} {:>10} {:>10} {:>5.1f}%\n", what, "", 1e3 * seconds, "", "",
                       share(seconds));
  };
  double rest = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const OpRow& row = table.rows[i];
    if (i >= most) {
      rest += row.exclusive + row.share;
      continue;
    }
    std::string label = row.name;
    if (row.phase != Phase::none) label += std::string(" ") + phase_name(row.phase);
    if (row.layer >= 0) label += fmt::format(" {}", row.layer);
    out += fmt::format("{:<26} {:>9} {:>10.2f} {:>10.2f} {:>10.2f} {:>5.1f}% {:>9.2f} {:>9.2f} {:>9} {:>8}\n",
                       label, row.calls, 1e3 * row.exclusive, 1e3 * row.share, 1e3 * row.inclusive,
                       share(row.exclusive + row.share), 1e6 * row.p50, 1e6 * row.p95, number(row.gflops()),
                       number(row.gbps()));
  }
  if (rest > 0) line("the rest", rest);
  line("waiting in regions", wait);
  line("idle workers", idle);
  line("outside of zones", outside);
  out += fmt::format("{:<26} {:>9} {:>10.2f} {:>10} {:>10.2f}\n", "threads' time; wall time", "",
                     1e3 * present, "", 1e3 * table.wall);
  return out;
}

}  // namespace smallmind
