// The way of one thread's events to the thread that writes them: a ring with one producer and one consumer,
// without locks and without heap.
//
// The producer encodes an interval as the words of record_format.h. It never waits: what finds no room is
// counted and reported in the stream as soon as there is room again. A decoded token of a small model is some
// 13 words on the main thread, 8 MB/s at 80,000 tokens/s; the ring holds half a second of that.
//
// The consumer reads no words: it copies them to the file as they are. What it must know of them, the names
// and the number of events, is told apart.
//
// A site is told by its place in the thread's table (base/known_sites.h), and defined in the stream when it
// is new to the recording or takes other memory than the last time. The next line of the ring is fetched
// ahead, because a model's weights drive everything out of the caches every token.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/known_sites.h"
#include "base/zone.h"
#include "profiler/record_format.h"
#include "tensor/buffer.h"

namespace smallmind {

class alignas(64) EventRing {
 public:
  // words: a power of two. generation: of its session, not 0.
  EventRing(std::size_t words, std::uint64_t start_ticks, std::uint32_t generation = 1);
  std::uint32_t generation() const noexcept { return generation_; }

  // ---- the producer
  // The arguments of ZoneSink::complete().
  void push(SinkMemory& memory, KnownSite& site, std::uint64_t begin, std::uint64_t end,
            const ThreadCounters& before) noexcept;

  // ---- the consumer
  // The words that are there, as one or two pieces; they stay until release().
  struct Pieces {
    std::span<const std::uint64_t> first, second;
    std::size_t size() const noexcept { return first.size() + second.size(); }
  };
  Pieces peek() const noexcept;
  void release(std::size_t words) noexcept;
  // The names that the words so far use, in the order of their first use.
  std::span<const char* const> names() const noexcept {
    return std::span(names_).first(name_count_.load(std::memory_order_acquire));
  }
  std::uint64_t events() const noexcept { return events_.load(std::memory_order_relaxed); }
  std::size_t capacity() const noexcept { return std::size_t{mask_} + 1; }
  std::uint64_t dropped() const noexcept { return dropped_total_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kMostNames = 1024;                 // literals of the program: some 60
  static constexpr std::size_t kMostWords = 1 + 2 + 2 * (7 + 3);  // dropped, taken, twice define and wide

  static constexpr std::size_t kLineWords = 8;
  static_assert(kMostKnownSites <= record::kSites);

  bool has_room() const noexcept;
  bool make_room(std::uint64_t events) noexcept;
  void push_both(SinkMemory& memory, KnownSite& site, std::uint64_t begin, std::uint64_t end,
                 const ThreadCounters& before) noexcept;
  void push_unusual(SinkMemory& memory, KnownSite& site, std::uint64_t begin, std::uint64_t end,
                    const ThreadCounters& before) noexcept;
  void put_wait(const ZoneWait& wait) noexcept;
  void put_one(std::uint16_t place, std::uint64_t begin, std::uint64_t end) noexcept;
  void define(std::uint16_t place, const char* name, const ZoneTraits& traits, std::int64_t flops,
              std::int64_t bytes, std::uint64_t arena_bytes) noexcept;
  void publish(std::uint64_t new_events) noexcept;
  const char* known_name(const char* name) noexcept;
  void put(std::uint64_t word) noexcept { words_[head_++ & mask_] = word; }

  // The producer's line.
  std::uint64_t* words_ = nullptr;
  std::uint32_t mask_;
  std::uint32_t generation_;
  std::uint64_t head_ = 0;       // written, by the producer's count
  std::uint64_t seen_tail_ = 0;  // the consumer's place when last looked at
  std::uint64_t last_end_;
  const char* wait_ = nullptr;  // the wait at place 0
  std::atomic<std::uint64_t> published_{0}, events_{0};
  // The consumer's line, and what the producer seldom needs.
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t dropped_ = 0;  // not reported yet
  std::atomic<std::uint64_t> dropped_total_{0};
  std::array<const char*, kMostNames> names_{};
  std::atomic<std::size_t> name_count_{0};
  Buffer memory_;
};

}  // namespace smallmind
