// Encoding and the ring's two ends; see event_ring.h.
#include "profiler/event_ring.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace smallmind {

using record::Escape;

EventRing::EventRing(std::size_t words, std::uint64_t start_ticks)
    : mask_(words - 1), last_end_(start_ticks), memory_(words * sizeof(std::uint64_t)) {
  words_ = memory_.as<std::uint64_t>();
  SM_CHECK(std::has_single_bit(words) && words > kMostWords, "[event_ring] a power of two expected, {} given",
           words);
}

// The place of the record's site: where it is, or where it should go.
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
    const std::uint32_t place = (home + i) % record::kSites;
    const Site& site = sites_[place];
    known = site.is(r);
    if (known || site.name == nullptr) return place;
  }
  // All taken: the hash chooses who goes, so that a cycle of sites does not always hit the same place.
  return (home + static_cast<std::uint32_t>(hash >> 20) % kProbes) % record::kSites;
}

void EventRing::define(std::uint32_t place, const ZoneRecord& r) noexcept {
  sites_[place].name = r.name;
  sites_[place].work = r.work;
  sites_[place].arena_bytes = r.taken.arena_bytes;
  const auto half = [](std::int64_t value, int bits) {
    return static_cast<std::uint64_t>(value) & ((std::uint64_t{1} << bits) - 1);
  };
  put(record::escape_word(Escape::define, place));
  put(reinterpret_cast<std::uintptr_t>(r.name));
  put(static_cast<std::uint64_t>(r.work.kind) | static_cast<std::uint64_t>(r.work.phase) << 8 |
      half(r.work.layer, 16) << 16 | half(r.work.shape[0], 32) << 32);
  put(half(r.work.shape[1], 32) | half(r.work.shape[2], 32) << 32);
  put(std::bit_cast<std::uint64_t>(r.work.flops));
  put(std::bit_cast<std::uint64_t>(r.work.bytes));
  put(r.taken.arena_bytes);
}

void EventRing::push(const ZoneRecord& r) noexcept {
  if (head_ + kMostWords - seen_tail_ > mask_ + 1) [[unlikely]] {
    seen_tail_ = tail_.load(std::memory_order_acquire);
    if (head_ + kMostWords - seen_tail_ > mask_ + 1) {
      ++dropped_;
      dropped_total_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  }
  if (dropped_ > 0) [[unlikely]] {
    put(record::escape_word(Escape::dropped, dropped_));
    dropped_ = 0;
  }
  Site& last = sites_[last_site_];
  std::uint32_t place = last.next;
  if (!sites_[place].is(r)) {
    bool known = false;
    place = find(r, known);
    if (!known) define(place, r);
    last.next = place;
  }
  last_site_ = place;
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
