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
// machine did; whole numbers of them are kept.
struct ZoneWork {
  Phase phase = Phase::none;
  int layer = -1;  // 16 bits are kept
  double flops = 0;
  double bytes = 0;
  std::array<std::int32_t, 3>
      shape{};  // (m, n, k) of a product, (rows, keys, width) of attention, (elements)
  ZoneKind kind = ZoneKind::zone;
};

// All but flops and bytes as two words, so that telling two zones apart takes few instructions.
struct ZoneTraits {
  std::uint64_t head = 0;   // kind:8 phase:8 layer:i16 shape0:i32
  std::uint64_t shape = 0;  // shape1:i32 shape2:i32

  [[gnu::always_inline]] static constexpr ZoneTraits of(const ZoneWork& work) noexcept {
    const auto low = [](std::int64_t value, int bits) {
      return static_cast<std::uint64_t>(value) & ((std::uint64_t{1} << bits) - 1);
    };
    return {static_cast<std::uint64_t>(work.kind) | static_cast<std::uint64_t>(work.phase) << 8 |
                low(work.layer, 16) << 16 | low(work.shape[0], 32) << 32,
            low(work.shape[1], 32) | low(work.shape[2], 32) << 32};
  }
  constexpr ZoneWork work() const noexcept {
    return {.phase = static_cast<Phase>(head >> 8 & 0xff),
            .layer = static_cast<std::int16_t>(head >> 16),
            .shape = {static_cast<std::int32_t>(head >> 32), static_cast<std::int32_t>(shape),
                      static_cast<std::int32_t>(shape >> 32)},
            .kind = kind()};
  }
  constexpr ZoneKind kind() const noexcept { return static_cast<ZoneKind>(head & 0xff); }
  constexpr ZoneTraits as(ZoneKind other) const noexcept {
    return {(head & ~std::uint64_t{0xff}) | static_cast<std::uint64_t>(other), shape};
  }
  friend constexpr bool operator==(const ZoneTraits&, const ZoneTraits&) = default;
};

// What a zone says of its work, in whole numbers.
struct ZoneSays {
  ZoneTraits traits;
  std::int64_t flops = 0, bytes = 0;
};

// What a thread remembers of zones that say the same (known_sites.h). One line, for the weights of a model
// drive everything out of the caches every token.
struct alignas(64) KnownSite {
  const char* name = nullptr;  // lives for ever
  ZoneTraits traits{};
  std::int64_t flops = 0, bytes = 0;
  // Of sinks, which may change them at any event of the thread.
  std::uint64_t arena_bytes = 0;  // that its zones took the last time
  std::uint32_t defined_for = 0;  // the recording that has been told of the site; 0: none
  // Of the table (known_sites.h), which numbers sites from 1 on.
  std::uint16_t place = 0;
  bool tabled = false;  // false: of no table
  bool pinned = false;  // its place is not given away, as if one of its zones were open

  [[gnu::always_inline]] bool is(const char* n, const ZoneTraits& t, std::int64_t f,
                                 std::int64_t b) const noexcept {
    return name == n && traits == t && flops == f && bytes == b;
  }
};
static_assert(sizeof(KnownSite) == 64);

// A time of waiting (kind wait or idle).
struct ZoneWait {
  const char* name = nullptr;  // lives for ever; null: there was nothing to wait for
  ZoneKind kind = ZoneKind::wait;
  std::uint64_t begin = 0, end = 0;
};

// What a thread keeps for sinks.
struct SinkMemory {
  void* state = nullptr;
  ZoneWait wait;
};

// complete() is called for each finished interval, in ticks of zone_ticks(), on the zone's own thread, inner
// zones before outer ones; `before` is what thread_counters were at its begin. memory.wait, if it has a name,
// is an interval of its own that is handed over along with this one, because most ops end with a wait: the
// last thing inside it, or, of a share, the idle time before it; complete() takes the name away. It must not
// throw. A worker of a pool may call it once more shortly after the sink was taken away: so a sink and what
// its function needs live for ever.
struct ZoneSink {
  void (*complete)(const ZoneSink& sink, SinkMemory& memory, KnownSite& site, std::uint64_t begin,
                   std::uint64_t end, const ThreadCounters& before) noexcept;
};

}  // namespace smallmind
