// The sink that sums zones; see hot_path.h.
#include "base/hot_path.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <utility>

namespace smallmind {
namespace {

constexpr std::size_t kMostNames = 256;  // a power of two; names beyond it are counted as their parent's time
constexpr std::size_t kMostDepth = 64;

struct Entry {
  const char* name = nullptr;
  Phase phase = Phase::none;
  int open = 0;  // how often it is on the stack: inclusive time counts only the outermost
  std::int64_t calls = 0;
  std::uint64_t exclusive = 0, inclusive = 0;
  double flops = 0, bytes = 0;
};

struct Frame {
  Entry* entry = nullptr;
  std::uint64_t begin = 0;
  std::uint64_t children = 0;  // ticks of the zones directly inside
};

}  // namespace

struct HotPathTable::ThreadTable {
  std::array<Entry, kMostNames> entries;
  std::array<Frame, kMostDepth> stack;
  std::size_t depth = 0;  // may exceed kMostDepth: those frames are not timed

  // Open addressing by the literal's address; equal names at two addresses are merged by rows().
  Entry* find(const char* name, Phase phase) noexcept {
    const std::size_t hash = reinterpret_cast<std::uintptr_t>(name) * 0x9E3779B97F4A7C15u >> 40;
    for (std::size_t i = 0; i < kMostNames; ++i) {
      Entry& entry = entries[(hash + static_cast<std::size_t>(phase) + i) % kMostNames];
      if (entry.name == nullptr) entry.name = name, entry.phase = phase;
      if (entry.name == name && entry.phase == phase) return &entry;
    }
    return nullptr;
  }
};

HotPathTable::HotPathTable() : sink_{on_begin, on_end, this} {
  start_ = stop_ = std::chrono::steady_clock::now();
  start_ticks_ = zone_ticks();
  former_ = set_zone_sink(&sink_);
}

HotPathTable::~HotPathTable() {
  stop();
}

void HotPathTable::stop() {
  if (!std::exchange(running_, false)) return;
  set_zone_sink(former_);
  stop_ticks_ = zone_ticks();
  stop_ = std::chrono::steady_clock::now();
}

HotPathTable::ThreadTable* HotPathTable::this_thread() noexcept {
  struct Cache {
    const HotPathTable* owner = nullptr;
    std::uint64_t start = 0;  // tells a later table at the same address from this one
    ThreadTable* table = nullptr;
  };
  thread_local Cache cache;
  if (cache.owner == this && cache.start == start_ticks_) return cache.table;
  try {
    const std::lock_guard lock(mutex_);
    threads_.push_back(std::make_unique<ThreadTable>());
    cache = {this, start_ticks_, threads_.back().get()};
    return cache.table;
  } catch (const std::bad_alloc&) {
    return nullptr;  // a profiler without memory sees less
  }
}

void HotPathTable::on_begin(void* context, const char* name, const ZoneWork& work,
                            std::uint64_t ticks) noexcept {
  ThreadTable* table = static_cast<HotPathTable*>(context)->this_thread();
  if (table == nullptr) return;
  const std::size_t depth = table->depth++;
  if (depth >= kMostDepth) return;
  Entry* entry = table->find(name, work.phase);
  if (entry != nullptr) ++entry->open;
  table->stack[depth] = {entry, ticks, 0};
}

void HotPathTable::on_end(void* context, const char*, const ZoneWork& work, std::uint64_t ticks) noexcept {
  ThreadTable* table = static_cast<HotPathTable*>(context)->this_thread();
  if (table == nullptr || table->depth == 0) return;
  const std::size_t depth = --table->depth;
  if (depth >= kMostDepth) return;
  const Frame& frame = table->stack[depth];
  if (frame.entry == nullptr) return;
  const std::uint64_t elapsed = ticks - frame.begin;
  if (depth > 0) table->stack[depth - 1].children += elapsed;
  Entry& entry = *frame.entry;
  ++entry.calls;
  entry.exclusive += elapsed - std::min(elapsed, frame.children);
  if (--entry.open == 0) entry.inclusive += elapsed;
  entry.flops += work.flops;
  entry.bytes += work.bytes;
}

double HotPathTable::wall_seconds() {
  stop();
  return std::chrono::duration<double>(stop_ - start_).count();
}

double HotPathTable::seconds_per_tick() {
  return wall_seconds() / static_cast<double>(std::max<std::uint64_t>(stop_ticks_ - start_ticks_, 1));
}

std::vector<HotPathRow> HotPathTable::rows(bool merged) {
  const double tick = seconds_per_tick();
  std::map<std::pair<int, std::pair<std::string, Phase>>, HotPathRow> sums;
  const std::lock_guard lock(mutex_);
  for (std::size_t t = 0; t < threads_.size(); ++t) {
    const int thread = merged ? 0 : static_cast<int>(t);
    for (const Entry& entry : threads_[t]->entries) {
      if (entry.calls == 0) continue;
      HotPathRow& row = sums[{thread, {entry.name, entry.phase}}];
      row.name = entry.name;
      row.phase = entry.phase;
      row.thread = thread;
      row.calls += entry.calls;
      row.exclusive_seconds += tick * static_cast<double>(entry.exclusive);
      row.inclusive_seconds += tick * static_cast<double>(entry.inclusive);
      row.flops += entry.flops;
      row.bytes += entry.bytes;
    }
  }
  std::vector<HotPathRow> list;
  for (auto& [key, row] : sums) list.push_back(std::move(row));
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.exclusive_seconds > b.exclusive_seconds; });
  return list;
}

std::string HotPathTable::text(std::size_t most) {
  const auto list = rows();
  const double wall = wall_seconds();
  const auto share = [&](double seconds) { return wall > 0 ? 100 * seconds / wall : 0; };
  const auto rate = [](double work, double seconds) {
    return work > 0 && seconds > 0 ? fmt::format("{:.1f}", work / seconds / 1e9) : std::string("-");
  };
  std::string out = fmt::format("{:<28} {:>9} {:>10} {:>10} {:>6} {:>9} {:>8}\n", "where", "calls", "self ms",
                                "total ms", "share", "GFLOP/s", "GB/s");
  double inside = 0, rest = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const HotPathRow& row = list[i];
    inside += row.exclusive_seconds;
    if (i >= most) {
      rest += row.exclusive_seconds;
      continue;
    }
    const std::string label =
        row.phase == Phase::none ? row.name : fmt::format("{} {}", row.name, phase_name(row.phase));
    out += fmt::format("{:<28} {:>9} {:>10.2f} {:>10.2f} {:>5.1f}% {:>9} {:>8}\n", label, row.calls,
                       1e3 * row.exclusive_seconds, 1e3 * row.inclusive_seconds, share(row.exclusive_seconds),
                       rate(row.flops, row.inclusive_seconds), rate(row.bytes, row.inclusive_seconds));
  }
  if (rest > 0)
    out +=
        fmt::format("{:<28} {:>9} {:>10.2f} {:>10} {:>5.1f}%\n", "the rest", "", 1e3 * rest, "", share(rest));
  const double outside = std::max(0.0, wall - inside);
  out += fmt::format("{:<28} {:>9} {:>10.2f} {:>10} {:>5.1f}%\n", "outside of zones", "", 1e3 * outside, "",
                     share(outside));
  out += fmt::format("{:<28} {:>9} {:>10.2f}\n", "wall time", "", 1e3 * wall);
  return out;
}

}  // namespace smallmind
