// Sums over a walk from outer to inner intervals: an interval's time is added to its own row and taken from
// the row of the one that holds it, which leaves exclusive times. See op_table.h.
//
// A recording may have as many tables as passes, half a million of them, and each pass knows few of the rows:
// so a table's rows are made when they are first met.
#include "profiler/op_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

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

constexpr std::size_t kMostCells = std::size_t{1} << 23;  // rows of all tables: some 1.5 GB

class Builder {
 public:
  // Quantiles of durations cost some kilobytes a row: only where there is one table.
  Builder(const Recording& recording, const OpTableOptions& options, std::vector<Window> windows, int tables)
      : recording_(recording), windows_(std::move(windows)), quantiles_(tables == 1) {
    const auto count = static_cast<std::size_t>(tables), threads = recording.threads().size();
    if (threads > 0 && count > kMostCells / threads)
      fail_input("[profile] at most {} passes expected with {} threads, {} found", kMostCells / threads,
                 threads, count);
    threads_.assign(count, std::vector<ThreadSums>(threads));
    sums_.resize(count);
    walls_.assign(count, 0);
    for (const Window& window : windows_)
      if (window.table >= 0) walls_[static_cast<std::size_t>(window.table)] += window.end - window.begin;
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
      const auto [entry, fresh] = row_of_key_.emplace(key_of(site, kind), keys_.size());
      if (fresh) keys_.push_back(&entry->first);
      row_of_site_.push_back(entry->second);
    }
    recent_.resize(keys_.size());
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
  Sums& sums(int table, std::size_t row);
  OpRow row_of(std::size_t row, const Sums& sums) const;
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
  bool quantiles_;
  std::map<RowKey, std::size_t> row_of_key_;
  std::vector<const RowKey*> keys_;  // of the rows
  std::vector<std::size_t> row_of_site_;
  std::vector<std::unordered_map<std::size_t, Sums>> sums_;  // (tables) by row
  std::size_t cells_ = 0;                                    // of all tables
  struct Recent {
    int table = -1;
    Sums* sums = nullptr;
  };
  std::vector<Recent> recent_;                    // (rows): where the row was met last
  std::vector<std::vector<ThreadSums>> threads_;  // (tables, threads)
  std::vector<std::uint64_t> walls_;              // (tables)
  std::vector<Frame> open_;                       // what holds the present event
};

// Events of one pass follow one another, so that the table is seldom asked.
Sums& Builder::sums(int table, std::size_t row) {
  Recent& recent = recent_[row];
  if (recent.table != table) {
    const auto [entry, fresh] = sums_[static_cast<std::size_t>(table)].try_emplace(row);
    cells_ += fresh;
    if (cells_ > kMostCells)
      fail_input("[profile] at most {} operations of passes expected, {} passes have more", kMostCells,
                 sums_.size());
    recent = {table, &entry->second};
  }
  return *recent.sums;
}

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
  ThreadSums& mine = threads_[static_cast<std::size_t>(table)][thread];
  const std::uint64_t ticks = event.end - event.begin;
  const Frame* outer = open_.empty() ? nullptr : &open_.back();
  if (outer != nullptr && outer->table == table) {
    Sums& holder = sums(table, outer->row);
    (outer->kind == ZoneKind::share ? holder.share : holder.exclusive) -= ticks;
    holder.heap_allocations -= event.heap_allocations;
    holder.heap_bytes -= event.heap_bytes;
    mine.busy -= ticks;
    if (site.work.kind == ZoneKind::wait) holder.wait += ticks;
  }
  if (site.work.kind == ZoneKind::wait) {
    mine.wait += ticks;
    return;
  }
  mine.busy += ticks;
  Sums& own = sums(table, index);
  own.heap_allocations += event.heap_allocations;
  own.heap_bytes += event.heap_bytes;
  if (site.work.kind == ZoneKind::share) {
    own.share += ticks;
    return;
  }
  own.exclusive += ticks;
  ++own.calls;
  if (quantiles_) own.durations.add(ticks);
  const bool nested =
      std::any_of(open_.begin(), open_.end(), [&](const Frame& frame) { return frame.row == index; });
  if (!nested) {
    own.inclusive += ticks;
    own.arena += site.arena_bytes;
  }
  own.flops += site.work.flops;
  own.bytes += site.work.bytes;
}

OpRow Builder::row_of(std::size_t row, const Sums& s) const {
  const auto& [name, kind, phase, layer, shape] = *keys_[row];
  const double tick = recording_.seconds(1);
  const auto seconds = [&](std::uint64_t ticks) {
    return tick * static_cast<double>(static_cast<std::int64_t>(ticks));
  };
  const auto quantile = [&](double q) { return tick * static_cast<double>(s.durations.quantile(q)); };
  return {.name = name,
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
          .heap_bytes = s.heap_bytes};
}

OpTable Builder::table(int index) const {
  OpTable table;
  const auto which = static_cast<std::size_t>(index);
  std::vector<std::size_t> rows;
  for (const auto& [row, sums] : sums_[which])
    if (sums.calls != 0 || sums.share != 0) rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) { return *keys_[a] < *keys_[b]; });
  for (const std::size_t row : rows) table.rows.push_back(row_of(row, sums_[which].at(row)));
  std::stable_sort(table.rows.begin(), table.rows.end(), [](const OpRow& a, const OpRow& b) {
    return a.exclusive + a.share > b.exclusive + b.share;
  });
  const auto seconds = [&](std::uint64_t ticks) {
    return recording_.seconds(1) * static_cast<double>(static_cast<std::int64_t>(ticks));
  };
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
  table.wall = seconds(walls_[which]);
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

// Null for a pass inside another one, which has none.
Window* window_of_pass(std::vector<Window>& windows, const RecordedPass& pass) {
  const auto window = std::lower_bound(windows.begin(), windows.end(), pass.begin,
                                       [](const Window& x, std::uint64_t begin) { return x.begin < begin; });
  const bool its_own = window != windows.end() && window->begin == pass.begin && window->end == pass.end;
  return its_own ? &*window : nullptr;
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
    Window* const window = everything ? windows.data() : window_of_pass(windows, pass);
    if (window == nullptr || !chosen(pass, options)) continue;
    window->table = 0;
    tokens += pass.tokens;
    ++passes;
  }
  OpTable table = Builder(recording, options, std::move(windows), 1).table(0);
  table.tokens = tokens;
  table.passes = passes;
  return table;
}

void for_each_pass(const Recording& recording, const OpTableOptions& options,
                   const std::function<void(const RecordedPass&, const OpTable&)>& visit) {
  std::vector<Window> windows = pass_windows(recording);
  const std::vector<RecordedPass>& passes = recording.passes();
  for (std::size_t i = 0; i < passes.size(); ++i)
    if (Window* const window = window_of_pass(windows, passes[i]); window != nullptr && window->table < 0)
      window->table = static_cast<int>(i);
  const Builder builder(recording, options, std::move(windows), static_cast<int>(passes.size()));
  for (std::size_t i = 0; i < passes.size(); ++i) {
    OpTable table = builder.table(static_cast<int>(i));
    table.tokens = passes[i].tokens;
    table.passes = 1;
    visit(passes[i], table);
  }
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
