// Markers around the parts of the work that a profiler should see: an op, a training phase, a file load.
//
//   Zone zone("linear", {.phase = Phase::forward, .layer = l, .flops = 2.0 * N * D * F, .bytes = 4.0 * D *
//   F});
//
// Without a sink a marker is one relaxed load and a branch (some 1 ns); compiled with SM_ZONES=0 it is
// nothing. With a sink it takes one time stamp at each end and hands the whole interval over at its end, so
// that a lost record loses nothing but itself. Ops that follow one another directly inside the same zone
// share a stamp: the end of one is the beginning of the next, so that the few nanoseconds between them count
// to the latter (a stamp costs 9 ns, and a decoded token of a small model has 20 ops in 12 us). Zones of a
// thread nest like scopes. The sink is a struct of function pointers, so that base knows no profiler
// (profiler/recorder.h is one).
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <new>

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
  ZoneWait wait;                  // the last thing that ended, if not handed over yet
  SinkMemory of_sink;
};
static_assert(sizeof(ThreadZones) == 64);
inline constinit thread_local ThreadZones thread_zones;
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

// A wait of this thread that has just ended: goes with the zone that is open, if that ends next.
void record_wait(const ZoneSink& sink, const ZoneWait& wait) noexcept;
// The same of an idle time: goes with the interval that complete_interval() ends next.
void keep_wait(const ZoneSink& sink, const ZoneWait& wait) noexcept;
// Of the calling thread.
inline SinkMemory& sink_memory() noexcept {
  return detail::thread_zones.of_sink;
}
// The next op of this thread begins with a stamp of its own.
inline void break_zone_chain() noexcept {
  detail::thread_zones.chained_end = 0;
}
// Hands over an interval that is no zone's, with the wait that was kept.
void complete_interval(const ZoneSink& sink, const ZoneRecord& record) noexcept;

namespace detail {
// What this thread has kept back goes with the interval that ends now, or by itself before another one.
void hand_over_kept_wait(const ZoneSink& sink) noexcept;
inline const ZoneWait* kept_wait(const ThreadZones& thread) noexcept {
  return thread.wait.name == nullptr ? nullptr : &thread.wait;
}
}  // namespace detail

class Zone {
 public:
  // name: a string literal.
  explicit Zone(const char* name, const ZoneWork& work = {}) noexcept
      : Zone(name, [&]() noexcept { return work; }) {}
  // The same; work() gives the ZoneWork, and is called only where there is a sink.
  template <std::invocable Work>
  Zone(const char* name, const Work& work) noexcept : sink_(zone_sink()) {
    if (sink_ == nullptr) [[likely]]
      return;
    name_ = name;
    ::new (static_cast<void*>(&work_)) ZoneWork(work());  // in place: a copy would wait for what it copies
    detail::ThreadZones& thread = detail::thread_zones;
    if (thread.wait.name != nullptr) [[unlikely]]
      detail::hand_over_kept_wait(*sink_);
    sink_state_ = thread.of_sink.state;
    soon_ = thread.of_sink.soon;
    outer_ = thread.open;
    thread.open = this;
    std::construct_at(&before_, thread_counters);
    const bool chained = work_.kind == ZoneKind::op && outer_ != nullptr && thread.chained_end != 0;
    begin_ = chained ? thread.chained_end : zone_ticks();
    thread.chained_end = 0;
  }
  ~Zone() {
    if (sink_ == nullptr) [[likely]]
      return;
    detail::ThreadZones& thread = detail::thread_zones;
    __builtin_prefetch(sink_state_, 1);
    __builtin_prefetch(soon_);
    __builtin_prefetch(&thread, 1);
    __builtin_prefetch(&thread_counters);
    const std::uint64_t end = zone_ticks();
    thread.open = outer_;
    thread.chained_end = work_.kind == ZoneKind::op ? end : 0;
    sink_->complete(*sink_, {name_, work_, begin_, end, thread_counters - before_, detail::kept_wait(thread)},
                    thread.of_sink);
    thread.wait.name = nullptr;
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

  // The innermost zone that is open on this thread under a sink; null without one.
  static const Zone* open() noexcept { return detail::thread_zones.open; }
  const char* name() const noexcept { return name_; }
  const ZoneWork& work() const noexcept { return work_; }

 private:
  const ZoneSink* sink_;
  // The rest is set only with a sink: an idle marker must not pay for it.
  void* sink_state_;  // not beside soon_: a load of both at once would wait for the last store to either
  const char* name_;
  const void* soon_;
  const Zone* outer_;
  std::uint64_t begin_;
  union {
    ZoneWork work_;
  };
  union {
    ThreadCounters before_;
  };
};

#else

inline const ZoneSink* zone_sink() noexcept {
  return nullptr;
}
inline const ZoneSink* set_zone_sink(const ZoneSink*) noexcept {
  return nullptr;
}
inline void record_wait(const ZoneSink&, const ZoneWait&) noexcept {}
inline void keep_wait(const ZoneSink&, const ZoneWait&) noexcept {}
inline SinkMemory& sink_memory() noexcept {
  thread_local SinkMemory memory;
  return memory;
}
inline void break_zone_chain() noexcept {}
inline void complete_interval(const ZoneSink&, const ZoneRecord&) noexcept {}

class Zone {
 public:
  explicit Zone(const char*, const ZoneWork& = {}) noexcept {}
  template <std::invocable Work>
  Zone(const char*, const Work&) noexcept {}
  void add(double, double) noexcept {}
  static const Zone* open() noexcept { return nullptr; }
  const char* name() const noexcept { return ""; }
  ZoneWork work() const noexcept { return {}; }
};

#endif

}  // namespace smallmind
