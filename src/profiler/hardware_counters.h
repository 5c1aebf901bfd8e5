// Instructions, cycles and last-level cache misses of a thread, by perf_event_open(2), where the machine has
// such counters and lets us read them; virtual machines mostly have none. And the clock of the core, which
// needs no counter: a chain of dependent multiplications takes three cycles each.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace smallmind {

struct CounterValues {
  std::uint64_t instructions = 0, cycles = 0, cache_misses = 0;
};

// The system calls, as a table: a test puts its own in.
struct CounterSystem {
  // A descriptor that counts event `config` of PERF_TYPE_HARDWARE for the calling thread in user mode; -1 and
  // errno.
  int (*open)(std::uint64_t config);
  bool (*read)(int descriptor, std::uint64_t& value);
  void (*close)(int descriptor);
};
const CounterSystem& perf_counter_system() noexcept;

// Counts from its construction on, for the thread that constructs it; may be read by any thread.
class HardwareCounters {
 public:
  explicit HardwareCounters(const CounterSystem& system = perf_counter_system());
  ~HardwareCounters();
  HardwareCounters(HardwareCounters&& other) noexcept;
  HardwareCounters& operator=(HardwareCounters&&) = delete;

  // Nothing where one of them could not be had.
  std::optional<CounterValues> read() const;
  // Why there are none, in a line; empty if there are.
  const std::string& missing() const noexcept { return missing_; }

 private:
  const CounterSystem* system_;
  std::array<int, 3> descriptors_{-1, -1, -1};
  std::string missing_;
};

// The present clock of this core in GHz: the fastest of a few chains, some 3 ms. 0 where multiplications are
// not known to take three cycles (not x86).
double measure_clock_ghz();

}  // namespace smallmind
