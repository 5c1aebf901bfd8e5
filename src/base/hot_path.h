// Where the time went: sums the zones (zone.h) by name and phase, per thread, and prints a table.
//
// Exclusive time is a zone's time without the zones inside it, so the column adds up to the wall time;
// inclusive time counts a name once, also where it nests in itself. Begin and end touch only their thread's
// own fixed table: no lock and no heap after a thread's first zone.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/zone.h"

namespace smallmind {

struct HotPathRow {
  std::string name;
  Phase phase = Phase::none;
  int thread = 0;  // in order of first zones; 0 where rows are merged
  std::int64_t calls = 0;
  double exclusive_seconds = 0;
  double inclusive_seconds = 0;
  double flops = 0;
  double bytes = 0;
};

class HotPathTable {
 public:
  // Starts counting: installs itself as the zone sink. One at a time: the former sink comes back at the end.
  HotPathTable();
  ~HotPathTable();
  HotPathTable(const HotPathTable&) = delete;
  HotPathTable& operator=(const HotPathTable&) = delete;

  // Stops counting and fixes the wall time; open zones are lost. The functions below call it. Call while no
  // other thread is inside a zone.
  void stop();

  double wall_seconds();

  // By exclusive time, largest first. merged: summed over threads, else one row per thread.
  std::vector<HotPathRow> rows(bool merged = true);

  // The `most` largest rows with calls, self ms, total ms, share of the wall time, GFLOP/s and GB/s (over
  // inclusive time, where the zones stated work), and the time outside of all zones.
  std::string text(std::size_t most = 20);

 private:
  struct ThreadTable;

  static void on_begin(void* context, const char* name, const ZoneWork& work, std::uint64_t ticks) noexcept;
  static void on_end(void* context, const char* name, const ZoneWork& work, std::uint64_t ticks) noexcept;
  ThreadTable* this_thread() noexcept;
  double seconds_per_tick();

  ZoneSink sink_;
  const ZoneSink* former_ = nullptr;
  std::mutex mutex_;
  std::vector<std::unique_ptr<ThreadTable>> threads_;
  std::uint64_t start_ticks_ = 0, stop_ticks_ = 0;
  std::chrono::steady_clock::time_point start_, stop_;
  bool running_ = true;
};

}  // namespace smallmind
