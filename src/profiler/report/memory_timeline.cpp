// A sample says how many bytes a category holds from then on. The time is cut into as many stretches as there
// may be points, and each gives the moment at which all categories together held the most.
#include "profiler/report/memory_timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/memory_use.h"

namespace smallmind {
namespace {

std::string category_name(int category) {
  if (category >= 0 && static_cast<std::size_t>(category) < kMemoryCategories)
    return memory_category_name(static_cast<MemoryCategory>(category));
  return fmt::format("category {}", category);
}

}  // namespace

MemoryReport make_memory_report(const Recording& recording, std::size_t points) {
  MemoryReport report;
  std::vector<MemorySample> samples = recording.memory();
  std::stable_sort(samples.begin(), samples.end(),
                   [](const MemorySample& a, const MemorySample& b) { return a.ticks < b.ticks; });
  std::map<int, std::size_t> column;
  for (const MemorySample& sample : samples) column.emplace(sample.category, 0);
  for (auto& [category, index] : column) {
    index = report.categories.size();
    report.categories.push_back({category_name(category)});
  }
  std::vector<std::int64_t> now(column.size(), 0), most;
  std::int64_t most_total = -1;
  std::uint64_t most_at = 0;
  const std::uint64_t stretch = recording.ticks() / std::max<std::size_t>(points, 1) + 1;
  const auto flush = [&] {
    if (most_total < 0) return;
    report.times.push_back(recording.seconds(most_at));
    report.bytes.push_back(most);
    most_total = -1;
  };
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const MemorySample& sample = samples[i];
    if (i > 0 && sample.ticks / stretch != samples[i - 1].ticks / stretch) flush();
    MemoryCategoryRow& row = report.categories[column[sample.category]];
    now[column[sample.category]] = row.last = sample.bytes;
    row.peak = std::max(row.peak, sample.bytes);
    const std::int64_t total = std::accumulate(now.begin(), now.end(), std::int64_t{0});
    if (total > most_total) {
      most_total = total;
      most_at = sample.ticks;
      most = now;
    }
    if (total > report.peak) {
      report.peak = total;
      report.peak_at = recording.seconds(sample.ticks);
    }
  }
  flush();
  const OpTable all = make_op_table(recording);
  for (const OpRow& row : all.rows) {
    report.heap_allocations += row.heap_allocations;
    report.heap_bytes += row.heap_bytes;
  }
  for (std::size_t t = 0; t < recording.threads().size(); ++t) {
    std::uint64_t outer_begin = ~std::uint64_t{0};
    EventCursor events = recording.events(t, EventOrder::outer_first);
    while (const ZoneEvent* event = events.next()) {
      if (event->begin >= outer_begin) continue;  // inside one that was counted
      outer_begin = event->begin;
      report.arena_bytes += recording.sites()[event->site].arena_bytes;
    }
  }
  return report;
}

}  // namespace smallmind
