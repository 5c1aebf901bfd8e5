// Encoding and the ring's two ends; see event_ring.h.
#include "profiler/event_ring.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"

namespace smallmind {

using record::Escape;

EventRing::EventRing(std::size_t words, std::uint64_t start_ticks)
    : mask_(words - 1), last_end_(start_ticks), memory_(words * sizeof(std::uint64_t)) {
  words_ = memory_.as<std::uint64_t>();
  SM_CHECK(std::has_single_bit(words) && words > kMostWords, "[event_ring] a power of two expected, {} given",
           words);
  std::fill_n(words_, words, 0);  // now, for each page's first touch costs a microsecond
}

// The place of the record's site: where it is, or where it should go. Place 0 is kept for waits.
std::uint32_t EventRing::find(const ZoneRecord& r, bool& known) const noexcept {
  constexpr std::uint32_t kProbes = 8;
  std::uint64_t hash = reinterpret_cast<std::uintptr_t>(r.name);
  const auto mix = [&](std::uint64_t value) { hash = (std::rotl(hash, 23) ^ value) * 0x9E3779B97F4A7C15u; };
  mix(static_cast<std::uint64_t>(r.work.layer) << 16 | static_cast<std::uint64_t>(r.work.phase) << 8 |
      static_cast<std::uint64_t>(r.work.kind));
  mix(std::bit_cast<std::uint64_t>(r.work.flops));
  mix(std::bit_cast<std::uint64_t>(r.work.bytes));
  mix(r.taken.arena_bytes);
  mix(static_cast<std::uint64_t>(r.work.shape[0]) << 32 ^ static_cast<std::uint64_t>(r.work.shape[1]) << 16 ^
      static_cast<std::uint64_t>(r.work.shape[2]));
  const auto home = static_cast<std::uint32_t>(hash >> 40);
  for (std::uint32_t i = 0; i < kProbes; ++i) {
    const std::uint32_t place = 1 + (home + i) % (record::kSites - 1);
    const Site& site = sites_[place];
    known = site.is(r);
    if (known || site.name == nullptr) return place;
  }
  // All taken: the hash chooses who goes, so that a cycle of sites does not always hit the same place.
  return 1 + (home + static_cast<std::uint32_t>(hash >> 20) % kProbes) % (record::kSites - 1);
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

void EventRing::define(std::uint32_t place, const ZoneRecord& r) noexcept {
  sites_[place].name = r.name;
  sites_[place].work = r.work;
  sites_[place].arena_bytes = r.taken.arena_bytes;
  const auto half = [](std::int64_t value, int bits) {
    return static_cast<std::uint64_t>(value) & ((std::uint64_t{1} << bits) - 1);
  };
  put(record::escape_word(Escape::define, place));
  put(reinterpret_cast<std::uintptr_t>(known_name(r.name)));
  put(static_cast<std::uint64_t>(r.work.kind) | static_cast<std::uint64_t>(r.work.phase) << 8 |
      half(r.work.layer, 16) << 16 | half(r.work.shape[0], 32) << 32);
  put(half(r.work.shape[1], 32) | half(r.work.shape[2], 32) << 32);
  put(std::bit_cast<std::uint64_t>(r.work.flops));
  put(std::bit_cast<std::uint64_t>(r.work.bytes));
  put(r.taken.arena_bytes);
}

inline bool EventRing::has_room() const noexcept {
  return head_ + kMostWords - seen_tail_ <= mask_ + 1;
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

inline std::uint32_t EventRing::place_of(const ZoneRecord& r) noexcept {
  std::uint32_t place = next_site_;
  if (!sites_[place].is(r)) [[unlikely]]
    place = other_place_of(r);
  last_site_ = place;
  next_site_ = sites_[place].next;
  __builtin_prefetch(&sites_[next_site_]);  // the op until then drives it out of the first caches
  return place;
}

[[gnu::noinline]] std::uint32_t EventRing::other_place_of(const ZoneRecord& r) noexcept {
  bool known = false;
  const std::uint32_t place = find(r, known);
  if (!known) define(place, r);
  sites_[last_site_].next = place;
  return place;
}

// As one word, if they follow one another as it demands.
inline bool EventRing::push_both(const ZoneRecord& r, const ZoneWait& wait) noexcept {
  const bool share = r.work.kind == ZoneKind::share;
  const std::uint64_t begin = share ? wait.begin : r.begin;
  const bool in_order = begin == last_end_ && begin <= wait.begin && wait.begin <= wait.end &&
                        wait.end <= r.end && (!share || r.begin == wait.end);
  const record::TwoIntervals two{wait.begin - last_end_, wait.end - wait.begin, r.end - wait.end};
  if (!in_order || !two.fits() || (r.taken.heap_allocations | r.taken.heap_bytes) != 0) return false;
  const Site& waiting = sites_[0];
  if (waiting.name == nullptr) [[unlikely]]
    define(0, {wait.name, {.kind = wait.kind}, 0, 0, {}});
  else if (waiting.name != wait.name || waiting.work.kind != wait.kind) [[unlikely]]
    return false;
  put(two.word(place_of(r)));
  last_end_ = r.end;
  return true;
}

inline void EventRing::push_one(const ZoneRecord& r) noexcept {
  const std::uint32_t place = place_of(r);
  if ((r.taken.heap_allocations | r.taken.heap_bytes) != 0) {
    put(record::escape_word(Escape::taken, r.taken.heap_allocations));
    put(r.taken.heap_bytes);
  }
  const std::uint64_t end = std::max(r.end, last_end_), begin = std::min(r.begin, end);
  const std::uint64_t delta = end - last_end_, duration = end - begin;
  if (delta <= record::kMostDelta && duration <= record::kMostDuration) [[likely]] {
    put(std::uint64_t{place} << record::kTagShift | delta << record::kDurationBits | duration);
  } else {
    put(record::escape_word(Escape::wide, place));
    put(delta);
    put(duration);
  }
  last_end_ = end;
}

void EventRing::push(const ZoneRecord& r) noexcept {
  if (!has_room() && !make_room(r.wait == nullptr ? 1 : 2)) [[unlikely]]
    return;
  events_.store(events() + (r.wait == nullptr ? 1 : 2), std::memory_order_relaxed);
  if (r.wait == nullptr) {
    push_one(r);
  } else if (!push_both(r, *r.wait)) {
    push_one({r.wait->name, {.kind = r.wait->kind}, r.wait->begin, r.wait->end, {}});
    push_one(r);
  }
  published_.store(head_, std::memory_order_release);
}

EventRing::Pieces EventRing::peek() const noexcept {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::uint64_t count = published_.load(std::memory_order_acquire) - tail, capacity = mask_ + 1;
  const std::uint64_t first = std::min(count, capacity - (tail & mask_));
  return {{words_ + (tail & mask_), first}, {words_, count - first}};
}

void EventRing::release(std::size_t words) noexcept {
  tail_.store(tail_.load(std::memory_order_relaxed) + words, std::memory_order_release);
}

}  // namespace smallmind
