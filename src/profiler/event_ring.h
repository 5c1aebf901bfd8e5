// The way of one thread's events to the thread that writes them: a ring with one producer and one consumer,
// without locks and without heap.
//
// The producer encodes an interval as the words of record_format.h. It never waits: what finds no room is
// counted and reported in the stream as soon as there is room again. A decoded token of a small model is some
// 18 words on the main thread, 12 MB/s at 80,000 tokens/s; the ring holds a third of a second of that.
//
// The consumer reads no words: it copies them to the file as they are. What it must know of them, the names
// and the number of events, is told apart.
//
// Sites are found by comparing with the one that followed the last time (a program repeats itself), then in
// a small hash table; a site that is not there takes the place of an older one and is defined anew.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/zone.h"
#include "profiler/record_format.h"
#include "tensor/buffer.h"

namespace smallmind {

class alignas(64) EventRing {
 public:
  // words: a power of two.
  explicit EventRing(std::size_t words, std::uint64_t start_ticks);

  // ---- the producer
  void push(const ZoneRecord& record) noexcept;

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
  std::size_t capacity() const noexcept { return mask_ + 1; }
  std::uint64_t dropped() const noexcept { return dropped_total_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Site {  // one line: the model's weights drive all else out of the caches every token
    const char* name = nullptr;
    ZoneWork work;
    std::uint64_t arena_bytes = 0;
    std::uint32_t next = 0;  // what followed it the last time

    bool is(const ZoneRecord& r) const noexcept {
      return name == r.name && work.layer == r.work.layer && work.flops == r.work.flops &&
             work.bytes == r.work.bytes && work.phase == r.work.phase && work.kind == r.work.kind &&
             work.shape == r.work.shape && arena_bytes == r.taken.arena_bytes;
    }
  };
  static constexpr std::size_t kMostNames = 1024;                 // literals of the program: some 60
  static constexpr std::size_t kMostWords = 1 + 2 + 2 * (7 + 3);  // dropped, taken, twice define and wide

  bool has_room() const noexcept;
  bool make_room(std::uint64_t events) noexcept;
  bool push_both(const ZoneRecord& record, const ZoneWait& wait) noexcept;
  void push_one(const ZoneRecord& record) noexcept;
  std::uint32_t place_of(const ZoneRecord& record) noexcept;
  std::uint32_t other_place_of(const ZoneRecord& record) noexcept;
  std::uint32_t find(const ZoneRecord& record, bool& known) const noexcept;
  void define(std::uint32_t site, const ZoneRecord& record) noexcept;
  const char* known_name(const char* name) noexcept;
  void put(std::uint64_t word) noexcept { words_[head_++ & mask_] = word; }

  // The producer's line.
  std::uint64_t* words_ = nullptr;
  std::uint64_t mask_;
  std::uint64_t head_ = 0;       // written, by the producer's count
  std::uint64_t seen_tail_ = 0;  // the consumer's place when last looked at
  std::uint64_t last_end_;
  std::uint32_t last_site_ = 0, next_site_ = 0;
  std::atomic<std::uint64_t> published_{0}, events_{0};
  // The consumer's line, and what the producer seldom needs.
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t dropped_ = 0;  // not reported yet
  std::atomic<std::uint64_t> dropped_total_{0};
  alignas(64) std::array<Site, record::kSites> sites_{};
  std::array<const char*, kMostNames> names_{};
  std::atomic<std::size_t> name_count_{0};
  Buffer memory_;
};

}  // namespace smallmind
