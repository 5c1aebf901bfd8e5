// See hardware_counters.h. Latency of a 64-bit multiplication: 3 cycles on every Intel core since Nehalem and
// every AMD core since Zen (Agner Fog, instruction tables).
#include "profiler/hardware_counters.h"

#include <fmt/core.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace smallmind {
namespace {

int open_counter(std::uint64_t config) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.size = sizeof(attributes);
  attributes.config = config;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

bool read_counter(int descriptor, std::uint64_t& value) {
  return ::read(descriptor, &value, sizeof(value)) == static_cast<ssize_t>(sizeof(value));
}

void close_counter(int descriptor) {
  ::close(descriptor);
}

constexpr CounterSystem kSystem{&open_counter, &read_counter, &close_counter};
constexpr std::array<std::uint64_t, 3> kEvents = {PERF_COUNT_HW_INSTRUCTIONS, PERF_COUNT_HW_CPU_CYCLES,
                                                  PERF_COUNT_HW_CACHE_MISSES};

}  // namespace

const CounterSystem& perf_counter_system() noexcept {
  return kSystem;
}

HardwareCounters::HardwareCounters(const CounterSystem& system) : system_(&system) {
  for (std::size_t i = 0; i < kEvents.size(); ++i) {
    descriptors_[i] = system_->open(kEvents[i]);
    if (descriptors_[i] >= 0) continue;
    missing_ = fmt::format("no hardware counters: {}{}", std::generic_category().message(errno),
                           errno == EACCES || errno == EPERM ? " (kernel.perf_event_paranoid)"
                                                             : " (virtual machines mostly have none)");
    return;
  }
}

HardwareCounters::~HardwareCounters() {
  for (const int descriptor : descriptors_)
    if (descriptor >= 0) system_->close(descriptor);
}

HardwareCounters::HardwareCounters(HardwareCounters&& other) noexcept
    : system_(other.system_),
      descriptors_(std::exchange(other.descriptors_, {-1, -1, -1})),
      missing_(std::move(other.missing_)) {}

std::optional<CounterValues> HardwareCounters::read() const {
  CounterValues values;
  std::uint64_t* const to[] = {&values.instructions, &values.cycles, &values.cache_misses};
  for (std::size_t i = 0; i < descriptors_.size(); ++i)
    if (descriptors_[i] < 0 || !system_->read(descriptors_[i], *to[i])) return std::nullopt;
  return values;
}

double measure_clock_ghz() {
#if defined(__x86_64__)
  constexpr int kChains = 5, kMultiplications = 800'000;
  double best = 0;
  std::uint64_t value = 3;
  for (int chain = 0; chain < kChains; ++chain) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kMultiplications; i += 8)
      asm volatile(
          "imul %0, %0\n\timul %0, %0\n\timul %0, %0\n\timul %0, %0\n\t"
          "imul %0, %0\n\timul %0, %0\n\timul %0, %0\n\timul %0, %0"
          : "+r"(value));
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
    best = std::max(best, 3.0 * kMultiplications / time.count());
  }
  return best;
#else
  return 0;
#endif
}

}  // namespace smallmind
