// Encoding and the ring's two ends; see event_ring.h.
#include "profiler/event_ring.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"

namespace smallmind {

using record::Escape;

EventRing::EventRing(std::size_t words, std::uint64_t start_ticks, std::uint32_t generation)
    : mask_(words - 1),
      last_end_(start_ticks),
      generation_(generation),
      memory_(words * sizeof(std::uint64_t)) {
  words_ = memory_.as<std::uint64_t>();
  SM_CHECK(std::has_single_bit(words) && words > kMostWords, "[event_ring] a power of two expected, {} given",
           words);
  std::fill_n(words_, words, 0);  // now, for each page's first touch costs a microsecond
}

namespace {

// Both halves of a product of 128 bits: each bit of the result depends on all bits of a and b.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t kFollower = 0xffff;  // of a site's word

constexpr std::uint64_t low_bits(std::int64_t value, int bits) noexcept {
  return static_cast<std::uint64_t>(value) & ((std::uint64_t{1} << bits) - 1);
}

// Kind, phase, layer and the first number of the shape: the third word of a definition.
inline std::uint64_t traits_word(const ZoneWork& work) noexcept {
  return static_cast<std::uint64_t>(work.kind) | static_cast<std::uint64_t>(work.phase) << 8 |
         low_bits(work.layer, 16) << 16 | low_bits(work.shape[0], 32) << 32;
}

inline std::uint64_t shape_word(const ZoneWork& work) noexcept {
  return low_bits(work.shape[1], 32) | low_bits(work.shape[2], 32) << 32;
}

// What tells a site from others, in the upper 48 bits, not 0; the lower 16 are 0. An event is compared with
// three sites at most, so of a million new sites one in 10^8 programs takes another's name: it is not looked
// at more closely. The products do not wait for one another.
inline std::uint64_t signature_of(const ZoneRecord& r) noexcept {
  const std::uint64_t what = fold(reinterpret_cast<std::uintptr_t>(r.name) ^ 0x9E3779B97F4A7C15u,
                                  traits_word(r.work) ^ 0xD1B54A32D192ED03u);
  const std::uint64_t cost = fold(std::bit_cast<std::uint64_t>(r.work.flops) ^ 0xA0761D6478BD642Fu,
                                  std::bit_cast<std::uint64_t>(r.work.bytes) ^ 0xE7037ED1A0B428DBu);
  const std::uint64_t rest =
      fold(shape_word(r.work) ^ 0x8EBC6AF09C88C6E3u, r.taken.arena_bytes ^ 0x589965CC75374CC3u);
  return ((what + std::rotl(cost, 21) + std::rotl(rest, 42)) | std::uint64_t{1} << 63) & ~kFollower;
}

inline std::uint64_t signature_of(const ZoneWait& wait) noexcept {
  const std::uint64_t name = reinterpret_cast<std::uintptr_t>(wait.name);
  return fold(name ^ 0x9E3779B97F4A7C15u, static_cast<std::uint64_t>(wait.kind) ^ 0xD1B54A32D192ED03u) &
         ~kFollower;
}

}  // namespace

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

void EventRing::define(std::uint16_t place, const ZoneRecord& r) noexcept {
  put(record::escape_word(Escape::define, place));
  put(reinterpret_cast<std::uintptr_t>(known_name(r.name)));
  put(traits_word(r.work));
  put(shape_word(r.work));
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

inline std::uint16_t EventRing::place_of(const ZoneRecord& r) noexcept {
  const std::uint64_t signature = signature_of(r);
  std::uint16_t place = next_site_;
  if ((sites_[place] & ~kFollower) != signature) [[unlikely]]
    place = other_place_of(r, signature);
  last_site_ = place;
  next_site_ = static_cast<std::uint16_t>(sites_[place] & kFollower);
  return place;
}

[[gnu::noinline]] std::uint16_t EventRing::other_place_of(const ZoneRecord& r,
                                                          std::uint64_t signature) noexcept {
  const std::size_t home = (signature >> 32) % kIndex;
  const auto holds = [&](std::size_t entry) { return (sites_[index_[entry]] & ~kFollower) == signature; };
  std::size_t entry = holds(home) ? home : home ^ 1;
  if (!holds(entry)) {
    if (index_[home] == 0) entry = home;
    index_[entry] = free_place(signature);
    sites_[index_[entry]] = signature;
    define(index_[entry], r);
  }
  sites_[last_site_] = (sites_[last_site_] & ~kFollower) | index_[entry];
  return index_[entry];
}

// In order, so that neighbours in time share a line. When all are taken the hash chooses who goes: in turn, a
// cycle that is a little longer than the table would find none of its sites.
std::uint16_t EventRing::free_place(std::uint64_t signature) noexcept {
  if (places_ < record::kSites) return static_cast<std::uint16_t>(places_++);
  return static_cast<std::uint16_t>(1 + (signature >> 20) % (record::kSites - 1));
}

// As one word, if they follow one another as it demands.
inline bool EventRing::push_both(const ZoneRecord& r, const ZoneWait& wait) noexcept {
  const bool share = r.work.kind == ZoneKind::share;
  const std::uint64_t begin = share ? wait.begin : r.begin;
  const bool in_order = begin == last_end_ && begin <= wait.begin && wait.begin <= wait.end &&
                        wait.end <= r.end && (!share || r.begin == wait.end);
  const record::TwoIntervals two{wait.begin - last_end_, wait.end - wait.begin, r.end - wait.end};
  if (!in_order || !two.fits() || (r.taken.heap_allocations | r.taken.heap_bytes) != 0) return false;
  if (const std::uint64_t waiting = sites_[0] & ~kFollower; waiting != signature_of(wait)) [[unlikely]] {
    if (waiting != 0) return false;
    sites_[0] |= signature_of(wait);
    define(0, {wait.name, {.kind = wait.kind}, 0, 0, {}});
  }
  put(two.word(place_of(r)));
  last_end_ = r.end;
  return true;
}

inline void EventRing::push_one(const ZoneRecord& r) noexcept {
  const std::uint16_t place = place_of(r);
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

const void* EventRing::push(const ZoneRecord& r) noexcept {
  if (!has_room() && !make_room(r.wait == nullptr ? 1 : 2)) [[unlikely]]
    return &tail_;
  events_.store(events() + (r.wait == nullptr ? 1 : 2), std::memory_order_relaxed);
  if (r.wait == nullptr) {
    push_one(r);
  } else if (!push_both(r, *r.wait)) {
    push_one({r.wait->name, {.kind = r.wait->kind}, r.wait->begin, r.wait->end, {}});
    push_one(r);
  }
  published_.store(head_, std::memory_order_release);
  __builtin_prefetch(words_ + ((head_ + kLineWords) & mask_), 1);
  return &sites_[next_site_];
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
