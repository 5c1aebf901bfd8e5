// What zones say of themselves (zone.h), and to whom.
#pragma once

#include <array>
#include <cstdint>

#include "base/thread_counters.h"

namespace smallmind {

enum class Phase : std::uint8_t { none, forward, backward, optimizer, prefill, decode, sample, data, io };
inline constexpr int kPhases = 9;

// "" for none, else the enumerator's name. Inline, as zones are.
constexpr const char* phase_name(Phase phase) noexcept {
  constexpr const char* kNames[] = {"",       "forward", "backward", "optimizer", "prefill",
                                    "decode", "sample",  "data",     "io"};
  return kNames[static_cast<int>(phase)];
}

// What an interval is. pass: one repeat of a measured piece of work, 0 (cold) or later (warm) in `layer`.
// share: what a worker of a pool does for the zone that is open on the pool's caller. wait: for other threads
// inside a region. idle: a worker between regions.
enum class ZoneKind : std::uint8_t { zone, op, pass, share, wait, idle };
inline constexpr int kZoneKinds = 6;

// What a zone says of its work; flops and bytes are what the algorithm needs, by formula, not what the
// machine did.
struct ZoneWork {
  Phase phase = Phase::none;
  int layer = -1;
  double flops = 0;
  double bytes = 0;
  std::array<std::int32_t, 3>
      shape{};  // (m, n, k) of a product, (rows, keys, width) of attention, (elements)
  ZoneKind kind = ZoneKind::zone;
};

// A time of waiting (kind wait or idle).
struct ZoneWait {
  const char* name = nullptr;  // lives for ever; null: there was nothing to wait for
  ZoneKind kind = ZoneKind::wait;
  std::uint64_t begin = 0, end = 0;
};

// A finished interval, in ticks of zone_ticks(); `taken` counts what the thread took inside, inner zones
// included. `wait` is an interval of its own that is handed over along with this one, because most ops end
// with a wait: the last thing inside it, or, of a share, the idle time before it.
struct ZoneRecord {
  const char* name;  // lives for ever
  const ZoneWork& work;
  std::uint64_t begin, end;
  ThreadCounters taken;
  const ZoneWait* wait = nullptr;
};

// complete() is called on the zone's own thread, inner zones before outer ones, and must not throw. A worker
// of a pool may call it once more shortly after the sink was taken away: so a sink and what its function
// needs live for ever.
struct ZoneSink {
  void (*complete)(const ZoneSink& sink, const ZoneRecord& record, struct SinkMemory& memory) noexcept;
};

// What a thread keeps for sinks: a pointer, and the places that the next complete() will touch, which zones
// fetch while they take the stamp.
struct SinkMemory {
  void* state = nullptr;
  const void* soon = nullptr;
};

}  // namespace smallmind
