// Encoding and the ring's two ends; see event_ring.h.
#include "profiler/event_ring.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"

namespace smallmind {

using record::Escape;

EventRing::EventRing(std::size_t words, std::uint64_t start_ticks, std::uint32_t generation)
    : mask_(static_cast<std::uint32_t>(words - 1)),
      generation_(generation),
      last_end_(start_ticks),
      memory_(words * sizeof(std::uint64_t)) {
  words_ = memory_.as<std::uint64_t>();
  SM_CHECK(std::has_single_bit(words) && words > kMostWords && words <= std::uint64_t{1} << 32,
           "[event_ring] a power of two expected, {} given", words);
  std::fill_n(words_, words, 0);  // now, for each page's first touch costs a microsecond
}

// The name, told to the consumer.
const char* EventRing::known_name(const char* name) noexcept {
  const std::span known = names();
  if (std::find(known.begin(), known.end(), name) != known.end()) return name;
  const std::size_t count = known.size();
  if (count == kMostNames) return names_.back();
  names_[count] = count + 1 == kMostNames ? "(too many names)" : name;
  name_count_.store(count + 1, std::memory_order_release);
  return names_[count];
}

void EventRing::define(std::uint16_t place, const char* name, const ZoneTraits& traits, std::int64_t flops,
                       std::int64_t bytes, std::uint64_t arena_bytes) noexcept {
  put(record::escape_word(Escape::define, place));
  put(reinterpret_cast<std::uintptr_t>(known_name(name)));
  put(traits.head);
  put(traits.shape);
  put(std::bit_cast<std::uint64_t>(static_cast<double>(flops)));
  put(std::bit_cast<std::uint64_t>(static_cast<double>(bytes)));
  put(arena_bytes);
}

inline bool EventRing::has_room() const noexcept {
  return head_ + kMostWords - seen_tail_ <= std::uint64_t{mask_} + 1;
}

// Looks whether the consumer has come on; else the events are lost, and the next push comes here again.
[[gnu::noinline]] bool EventRing::make_room(std::uint64_t events) noexcept {
  seen_tail_ = tail_.load(std::memory_order_acquire);
  if (!has_room()) {
    dropped_ += events;
    dropped_total_.fetch_add(events, std::memory_order_relaxed);
    return false;
  }
  if (dropped_ > 0) put(record::escape_word(Escape::dropped, std::exchange(dropped_, 0)));
  return true;
}

[[gnu::always_inline]] inline void EventRing::publish(std::uint64_t new_events) noexcept {
  events_.store(events() + new_events, std::memory_order_relaxed);
  published_.store(head_, std::memory_order_release);
  __builtin_prefetch(words_ + ((head_ + kLineWords) & mask_), 1);
}

void EventRing::push(SinkMemory& memory, KnownSite& site, std::uint64_t begin, std::uint64_t end,
                     const ThreadCounters& before) noexcept {
  const ThreadCounters taken = thread_counters - before;
  const std::uint64_t unusual = taken.heap_allocations | taken.heap_bytes |
                                (taken.arena_bytes ^ site.arena_bytes) | (site.defined_for ^ generation_);
  if (unusual != 0 || !has_room()) [[unlikely]]
    return push_unusual(memory, site, begin, end, before);
  if (memory.wait.name != nullptr) return push_both(memory, site, begin, end, before);
  const std::uint64_t delta = end - last_end_, duration = end - begin;
  if ((delta >> record::kDeltaBits | duration >> record::kDurationBits) != 0) [[unlikely]]
    return push_unusual(memory, site, begin, end, before);
  put(std::uint64_t{site.place} << record::kTagShift | delta << record::kDurationBits | duration);
  last_end_ = end;
  publish(1);
}

// The wait as well, in the same word, if the two follow one another as that demands.
[[gnu::noinline]] void EventRing::push_both(SinkMemory& memory, KnownSite& site, std::uint64_t begin,
                                            std::uint64_t end, const ThreadCounters& before) noexcept {
  const ZoneWait& wait = memory.wait;
  const bool share = site.traits.kind() == ZoneKind::share;
  const std::uint64_t first = share ? wait.begin : begin;
  const bool in_order = first == last_end_ && (!share || begin == wait.end);
  const record::TwoIntervals two{wait.begin - first, wait.end - wait.begin, end - wait.end};
  if (wait.name != wait_ || !in_order || !two.fits()) [[unlikely]]
    return push_unusual(memory, site, begin, end, before);
  put(two.word(site.place));
  last_end_ = end;
  memory.wait.name = nullptr;
  publish(2);
}

// Whatever it is, word by word.
[[gnu::noinline]] void EventRing::push_unusual(SinkMemory& memory, KnownSite& site, std::uint64_t begin,
                                               std::uint64_t end, const ThreadCounters& before) noexcept {
  const ThreadCounters taken = thread_counters - before;
  const ZoneWait wait = std::exchange(memory.wait, {});
  const std::uint64_t events = wait.name == nullptr ? 1 : 2;
  if (!has_room() && !make_room(events)) return;
  site.pinned = true;  // a new wait must not take its place
  if (wait.name != nullptr) put_wait(wait);
  site.pinned = false;
  if (site.defined_for != generation_ || site.arena_bytes != taken.arena_bytes) {
    site.defined_for = generation_;
    site.arena_bytes = taken.arena_bytes;
    define(site.place, site.name, site.traits, site.flops, site.bytes, taken.arena_bytes);
  }
  if ((taken.heap_allocations | taken.heap_bytes) != 0) {
    put(record::escape_word(Escape::taken, taken.heap_allocations));
    put(taken.heap_bytes);
  }
  put_one(site.place, begin, end);
  publish(events);
}

// The first of a thread's waits has place 0, which words of two intervals mean; others have sites.
void EventRing::put_wait(const ZoneWait& wait) noexcept {
  const ZoneTraits traits = ZoneTraits::of({.kind = wait.kind});
  std::uint16_t place = 0;
  if (wait_ == nullptr) {
    wait_ = wait.name;
    define(0, wait.name, traits, 0, 0, 0);
  } else if (wait_ != wait.name) {
    KnownSite& site = find_site(wait.name, traits, 0, 0);
    place = site.place;
    if (std::exchange(site.defined_for, generation_) != generation_)
      define(place, wait.name, traits, 0, 0, 0);
  }
  put_one(place, wait.begin, wait.end);
}

void EventRing::put_one(std::uint16_t place, std::uint64_t begin, std::uint64_t end) noexcept {
  end = std::max(end, last_end_);
  const std::uint64_t delta = end - last_end_, duration = end - std::min(begin, end);
  last_end_ = end;
  if (delta <= record::kMostDelta && duration <= record::kMostDuration)
    return put(std::uint64_t{place} << record::kTagShift | delta << record::kDurationBits | duration);
  put(record::escape_word(Escape::wide, place));
  put(delta);
  put(duration);
}

EventRing::Pieces EventRing::peek() const noexcept {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::uint64_t count = published_.load(std::memory_order_acquire) - tail,
                      capacity = std::uint64_t{mask_} + 1;
  const std::uint64_t first = std::min(count, capacity - (tail & mask_));
  return {{words_ + (tail & mask_), first}, {words_, count - first}};
}

void EventRing::release(std::size_t words) noexcept {
  tail_.store(tail_.load(std::memory_order_relaxed) + words, std::memory_order_release);
}

}  // namespace smallmind
