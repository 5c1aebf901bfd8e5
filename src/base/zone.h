// Markers around the parts of the work that a profiler should see: an op, a training phase, a file load.
//
//   Zone zone("linear", {.phase = Phase::forward, .layer = l, .flops = 2.0 * N * D * F, .bytes = 4.0 * D *
//   F});
//
// Without a sink a marker is one relaxed load and a branch (some 1 ns); compiled with SM_ZONES=0 it is
// nothing. With a sink it takes one time stamp at each end and hands the whole interval over at its end, so
// that a lost record loses nothing but itself. Ops that follow one another directly inside the same zone
// share a stamp: the end of one is the beginning of the next, so that the few nanoseconds between them count
// to the latter (a stamp costs 9 ns, and a decoded token of a small model has 12 ops in 12 us). Zones of a
// thread nest like scopes. The sink is a function, so that base knows no profiler (profiler/recorder.h is
// one).
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>

#include "base/thread_counters.h"
#include "base/zone_record.h"

#if !defined(SM_ZONES)
#define SM_ZONES 1
#endif

namespace smallmind {

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

class Zone;

namespace detail {
inline constinit std::atomic<const ZoneSink*> zone_sink{nullptr};
// Kept only with a sink. One line: the weights drive all else out of the caches every token.
struct alignas(64) ThreadZones {
  const Zone* open = nullptr;     // the innermost
  std::uint64_t chained_end = 0;  // if the last thing that happened was the end of an op: when
  KnownSite* last = nullptr;      // of what began or was handed over the last time
  SinkMemory of_sink;             // with the last thing that ended, if it was a wait
};
static_assert(sizeof(ThreadZones) == 64);
[[gnu::tls_model("initial-exec")]] inline constinit thread_local ThreadZones thread_zones;
}  // namespace detail

// The present sink, or null.
inline const ZoneSink* zone_sink() noexcept {
  const ZoneSink* sink = detail::zone_sink.load(std::memory_order_relaxed);
  if (sink != nullptr) [[unlikely]]
    std::atomic_thread_fence(std::memory_order_acquire);
  return sink;
}

// Installs a sink for all threads (nullptr: none) and returns the former one.
inline const ZoneSink* set_zone_sink(const ZoneSink* sink) noexcept {
  return detail::zone_sink.exchange(sink);
}

// Hands over the wait that was kept, if any, by itself.
void hand_over_wait(const ZoneSink& sink) noexcept;

// An idle time of this thread that has just ended: goes with the interval that complete_interval() ends next.
// Numbers, not a ZoneWait: a copy that reads a struct in larger pieces than it was stored in waits until
// these stores, and all before them, are done (4 ns a region).
inline void keep_wait(const ZoneSink& sink, const char* name, ZoneKind kind, std::uint64_t begin,
                      std::uint64_t end) noexcept {
  detail::ThreadZones& thread = detail::thread_zones;
  thread.chained_end = 0;
  ZoneWait& wait = thread.of_sink.wait;
  if (wait.name != nullptr) [[unlikely]]
    hand_over_wait(sink);
  wait.name = name;
  wait.kind = kind;
  wait.begin = begin;
  wait.end = end;
}
// The same of a wait: goes with the zone that is open, if that ends next.
inline void record_wait(const ZoneSink& sink, const char* name, ZoneKind kind, std::uint64_t begin,
                        std::uint64_t end) noexcept {
  keep_wait(sink, name, kind, begin, end);
  if (detail::thread_zones.open == nullptr) [[unlikely]]
    hand_over_wait(sink);
}
// Of the calling thread.
inline SinkMemory& sink_memory() noexcept {
  return detail::thread_zones.of_sink;
}
// The next op of this thread begins with a stamp of its own.
inline void break_zone_chain() noexcept {
  detail::thread_zones.chained_end = 0;
}
// Hands over an interval that is no zone's, with the wait that was kept; before: thread_counters at its
// begin.
void complete_interval(const ZoneSink& sink, const char* name, const ZoneTraits& traits, std::uint64_t begin,
                       std::uint64_t end, const ThreadCounters& before) noexcept;

// In one line: a store to a second one, which the weights have driven out of L1, would hold up the next
// atomic operation, and a pool's region begins with one (5 ns an op).
class alignas(64) Zone {
 public:
  // name: a string literal.
  explicit Zone(const char* name, const ZoneWork& work = {}) noexcept
      : Zone(name, [&]() noexcept {
          return ZoneSays{ZoneTraits::of(work), static_cast<std::int64_t>(work.flops),
                          static_cast<std::int64_t>(work.bytes)};
        }) {}
  // The same; says() gives the ZoneSays, and is called only where there is a sink.
  template <std::invocable Says>
  Zone(const char* name, const Says& says) noexcept : sink_(zone_sink()) {
    if (sink_ == nullptr) [[likely]]
      return;
    const ZoneSays given = says();
    begin(name, given.traits, given.flops, given.bytes);
  }
  ~Zone() {
    if (sink_ != nullptr) [[unlikely]]
      end();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

  // The innermost zone that is open on this thread under a sink; null without one.
  static const Zone* open() noexcept { return detail::thread_zones.open; }
  const KnownSite& site() const noexcept { return *site_; }
  // Whether a zone of this site is open on this thread. Slow where many are.
  static bool any_open(const KnownSite& site) noexcept {
    const Zone* zone = open();
    while (zone != nullptr && zone->site_ != &site) zone = zone->outer_;
    return zone != nullptr;
  }

 private:
  // Out of line, so that all ops run the same few lines of code, which the caches keep.
  void begin(const char* name, ZoneTraits traits, std::int64_t flops, std::int64_t bytes) noexcept;
  void begin_elsewhere(const char* name, ZoneTraits traits, std::int64_t flops, std::int64_t bytes) noexcept;
  void enter(detail::ThreadZones& thread, KnownSite& site) noexcept;
  void end() noexcept;

  const ZoneSink* sink_;
  // The rest is set only with a sink: an idle marker must not pay for it.
  KnownSite* site_;
  const Zone* outer_;
  std::uint64_t begin_;
  union {
    ThreadCounters before_;
  };
};
static_assert(sizeof(Zone) == 64);

#else

inline const ZoneSink* zone_sink() noexcept {
  return nullptr;
}
inline const ZoneSink* set_zone_sink(const ZoneSink*) noexcept {
  return nullptr;
}
inline void hand_over_wait(const ZoneSink&) noexcept {}
inline void keep_wait(const ZoneSink&, const char*, ZoneKind, std::uint64_t, std::uint64_t) noexcept {}
inline void record_wait(const ZoneSink&, const char*, ZoneKind, std::uint64_t, std::uint64_t) noexcept {}
inline SinkMemory& sink_memory() noexcept {
  thread_local SinkMemory memory;
  return memory;
}
inline void break_zone_chain() noexcept {}
inline void complete_interval(const ZoneSink&, const char*, const ZoneTraits&, std::uint64_t, std::uint64_t,
                              const ThreadCounters&) noexcept {}

class Zone {
 public:
  explicit Zone(const char*, const ZoneWork& = {}) noexcept {}
  template <std::invocable Work>
  Zone(const char*, const Work&) noexcept {}
  static const Zone* open() noexcept { return nullptr; }
  static bool any_open(const KnownSite&) noexcept { return false; }
  const KnownSite& site() const noexcept { return site_; }

 private:
  KnownSite site_;
};

#endif

}  // namespace smallmind
