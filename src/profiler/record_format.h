// The recording file (.smprof): what the profiler writes while it runs, little-endian.
//
//   file   = "SMPROF" version:u16  chunk*
//   chunk  = type:u32 thread:u32 bytes:u64 payload[bytes]       padded with zeros to 8 bytes
//   string = id:u64 text                    a name, before the first site that uses it
//   thread = text                           the name of thread number `thread`
//   events = word:u64*
//   section = length:u64 name[length] text  a JSON text: "environment", "workload", "roofline", ...
//   clock  = ticks:u64 nanoseconds:i64      the same moment on both clocks; the first is the beginning
//   memory = ticks:u64 category:u64 bytes:i64
//   life   = cpu_ns:i64 events:u64 dropped:u64 alive:u64   of a thread, over the recording
//   end    = (nothing)                      the file is whole
//
// An event is an interval that has ended, so inner ones stand before the outer ones that hold them, and a
// lost event loses nothing but itself. Most are one word, times in ticks:
//
//   63          52 51                        27 26                          0
//   +-------------+----------------------------+-----------------------------+
//   | site        | end - end of event before  | duration                    |
//   +-------------+----------------------------+-----------------------------+
//
// Before a thread's first event stands the beginning of the recording.
// Two intervals may share a word, its tag then kSites more than the site: a wait (the site at place 0) that
// begins `before` ticks after the end of the event before, and ends `after` ticks before the end of an
// interval of the tag's site. That one begins, if it is a share of a region, at the wait's end (the thread
// was idle), else at the end of the event before (an op that ends with a wait):
//
//   63          52 51                34 33               17 16                0
//   +-------------+--------------------+-------------------+-----------------+
//   | kSites+site | before             | wait              | after           |
//   +-------------+--------------------+-------------------+-----------------+
//
// A site (name, kind, phase, layer, shape, flops, bytes, arena bytes) is defined in the stream before its
// first event and may be redefined later: a thread keeps kSites of them, and what follows means the newest.
// Tags from kFirstEscape on are no sites:
//
//   define   low 52 bits: site.  + name id | kind:8 phase:8 layer:i16 shape0:i32 | shape1:i32 shape2:i32 |
//            flops:f64 | bytes:f64 | arena bytes
//   wide     low 52 bits: site.  + end - end of event before | duration
//   taken    low 52 bits: heap allocations inside the next event.  + heap bytes
//   dropped  low 52 bits: events lost here, because the ring was full
//
// A file that was cut short is readable up to its last whole chunk.
#pragma once

#include <cstddef>
#include <cstdint>

namespace smallmind::record {

inline constexpr char kMagic[] = "SMPROF";
inline constexpr std::uint16_t kVersion = 2;

enum class Chunk : std::uint32_t { string = 1, thread, events, section, clock, memory, life, end };

inline constexpr int kTagShift = 52;
inline constexpr int kDurationBits = 27;
inline constexpr int kDeltaBits = kTagShift - kDurationBits;
inline constexpr std::uint64_t kLowMask = (std::uint64_t{1} << kTagShift) - 1;
inline constexpr std::uint64_t kMostDuration = (std::uint64_t{1} << kDurationBits) - 1;
inline constexpr std::uint64_t kMostDelta = (std::uint64_t{1} << kDeltaBits) - 1;

inline constexpr std::uint32_t kFirstEscape = 0xff0;
inline constexpr std::uint32_t kSites = kFirstEscape / 2;  // of one thread at a time
enum class Escape : std::uint32_t { dropped = 0xffc, taken = 0xffd, wide = 0xffe, define = 0xfff };

// Words that follow the first one.
constexpr std::size_t extra_words(Escape escape) noexcept {
  switch (escape) {
    case Escape::define:
      return 6;
    case Escape::wide:
      return 2;
    case Escape::taken:
      return 1;
    case Escape::dropped:
      break;
  }
  return 0;
}

constexpr std::uint64_t escape_word(Escape escape, std::uint64_t low) noexcept {
  return (static_cast<std::uint64_t>(escape) << kTagShift) | (low & kLowMask);
}

// A word of two intervals.
inline constexpr std::uint64_t kMostBefore = (std::uint64_t{1} << 18) - 1;
inline constexpr std::uint64_t kMostWait = (std::uint64_t{1} << 17) - 1, kMostAfter = kMostWait;
struct TwoIntervals {
  std::uint64_t before, wait, after;

  static constexpr TwoIntervals of(std::uint64_t word) noexcept {
    return {word >> 34 & kMostBefore, word >> 17 & kMostWait, word & kMostAfter};
  }
  constexpr bool fits() const noexcept {
    return before <= kMostBefore && wait <= kMostWait && after <= kMostAfter;
  }
  constexpr std::uint64_t word(std::uint32_t site) const noexcept {
    return std::uint64_t{kSites + site} << kTagShift | before << 34 | wait << 17 | after;
  }
  constexpr std::uint64_t sum() const noexcept { return before + wait + after; }
};

struct ChunkHeader {
  std::uint32_t type, thread;
  std::uint64_t bytes;
};
static_assert(sizeof(ChunkHeader) == 16);

}  // namespace smallmind::record
