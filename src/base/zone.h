// Markers around the parts of the work that a profiler should see: an op, a training phase, a file load.
//
//   Zone zone("linear", {.phase = Phase::forward, .layer = l, .flops = 2.0 * N * D * F, .bytes = 4.0 * D *
//   F});
//
// Without a sink a marker is one relaxed load and a branch (some 1 ns); compiled with SM_ZONES=0 it is
// nothing. With a sink it takes one timestamp at each end. Zones of a thread nest like scopes. The sink is a
// struct of function pointers, so that base knows no profiler; HotPathTable (hot_path.h) is one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#if !defined(SM_ZONES)
#define SM_ZONES 1
#endif

namespace smallmind {

enum class Phase : std::uint8_t { none, forward, backward, optimizer, prefill, decode, sample, data, io };

// "" for none, else the enumerator's name. Inline, as zones are.
constexpr const char* phase_name(Phase phase) noexcept {
  constexpr const char* kNames[] = {"",       "forward", "backward", "optimizer", "prefill",
                                    "decode", "sample",  "data",     "io"};
  return kNames[static_cast<int>(phase)];
}

// What a zone says of its work; flops and bytes are what the algorithm needs, by formula, not what the
// machine did.
struct ZoneWork {
  Phase phase = Phase::none;
  int layer = -1;
  double flops = 0;
  double bytes = 0;
};

// The functions are called on the zone's own thread, must not throw, and get `name` as a pointer to a string
// that lives for ever. Times are in ticks of zone_ticks(). end() is called for each begin(), in nesting
// order.
struct ZoneSink {
  void (*begin)(void* context, const char* name, const ZoneWork& work, std::uint64_t ticks) noexcept;
  void (*end)(void* context, const char* name, const ZoneWork& work, std::uint64_t ticks) noexcept;
  void* context;
};

// A clock that costs some 8 ns: the time stamp counter on x86 (constant rate on every CPU since 2008), else
// nanoseconds. Ticks have no fixed length: calibrate against a clock over the time that is measured.
inline std::uint64_t zone_ticks() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

#if SM_ZONES

namespace detail {
inline constinit std::atomic<const ZoneSink*> zone_sink{nullptr};
}

// Installs a sink for all threads (nullptr: none) and returns the former one. A sink must outlive every zone
// opened under it.
inline const ZoneSink* set_zone_sink(const ZoneSink* sink) noexcept {
  return detail::zone_sink.exchange(sink);
}

class Zone {
 public:
  // name: a string literal.
  explicit Zone(const char* name, const ZoneWork& work = {}) noexcept
      : sink_(detail::zone_sink.load(std::memory_order_relaxed)) {
    if (sink_ == nullptr) [[likely]]
      return;
    std::atomic_thread_fence(std::memory_order_acquire);
    name_ = name;
    std::construct_at(&work_, work);
    sink_->begin(sink_->context, name_, work_, zone_ticks());
  }
  ~Zone() {
    if (sink_ != nullptr) [[unlikely]]
      sink_->end(sink_->context, name_, work_, zone_ticks());
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

  // Adds work that is only known inside the zone.
  void add(double flops, double bytes) noexcept {
    if (sink_ == nullptr) [[likely]]
      return;
    work_.flops += flops;
    work_.bytes += bytes;
  }

 private:
  const ZoneSink* sink_;
  const char* name_;  // set, like work_, only with a sink: an idle marker must not pay for them
  union {
    ZoneWork work_;
  };
};

#else

inline const ZoneSink* set_zone_sink(const ZoneSink*) noexcept {
  return nullptr;
}

class Zone {
 public:
  explicit Zone(const char*, const ZoneWork& = {}) noexcept {}
  void add(double, double) noexcept {}
};

#endif

}  // namespace smallmind
