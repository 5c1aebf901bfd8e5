// See known_sites.h.
#include "base/known_sites.h"

#include <bit>
#include <memory>
#include <new>
#include <type_traits>

#include "base/zone.h"

namespace smallmind {
namespace {

// Both halves of a product of 128 bits: each bit of the result depends on all bits of a and b.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_of(const char* name, const ZoneTraits& traits, std::int64_t flops,
                      std::int64_t bytes) noexcept {
  const std::uint64_t what =
      fold(reinterpret_cast<std::uintptr_t>(name) ^ 0x9E3779B97F4A7C15u, traits.head ^ 0xD1B54A32D192ED03u);
  const std::uint64_t cost = fold(static_cast<std::uint64_t>(flops) ^ 0xA0761D6478BD642Fu,
                                  static_cast<std::uint64_t>(bytes) ^ 0xE7037ED1A0B428DBu);
  return fold(what ^ std::rotl(cost, 21), traits.shape ^ 0x8EBC6AF09C88C6E3u);
}

}  // namespace

static_assert(std::is_standard_layout_v<SiteTable>, "of() takes the address of the first member");

SiteTable::SiteTable() noexcept {
  for (std::size_t place = 0; place < kMostKnownSites; ++place) {
    sites_[place].place = static_cast<std::uint16_t>(place);
    sites_[place].tabled = true;
  }
}

KnownSite& SiteTable::find(const char* name, const ZoneTraits& traits, std::int64_t flops,
                           std::int64_t bytes) noexcept {
  const std::uint64_t hash = hash_of(name, traits, flops, bytes);
  const auto slot = [&] {
    std::size_t at = hash % kSlots;
    while (slots_[at] != 0 && !sites_[slots_[at]].is(name, traits, flops, bytes)) at = (at + 1) % kSlots;
    return at;
  };
  if (const std::uint16_t place = slots_[slot()]; place != 0) return sites_[place];
  const std::uint16_t place = free_place(hash);
  slots_[slot()] = place;
  KnownSite& site = sites_[place];
  site.name = name;
  site.traits = traits;
  site.flops = flops;
  site.bytes = bytes;
  links_[place] = {};
  site.defined_for = 0;
  return site;
}

// In order, so that the lines of neighbours in time are neighbours. When all are taken, chance chooses who
// goes: in turn, a cycle that is a little longer than the table would find none of its sites; by the hash
// alone, two sites that chose the same place would drive each other out for ever.
std::uint16_t SiteTable::free_place(std::uint64_t hash) noexcept {
  if (places_ < kMostKnownSites) return static_cast<std::uint16_t>(places_++);
  std::size_t place = 1 + fold(hash, ++evicted_ ^ 0xA0761D6478BD642Fu) % (kMostKnownSites - 1);
  while (sites_[place].pinned || Zone::any_open(sites_[place]))
    place = place == kMostKnownSites - 1 ? 1 : place + 1;
  forget(static_cast<std::uint16_t>(place));
  return static_cast<std::uint16_t>(place);
}

// Empties a slot and lets those that stand behind it, for want of their own slots, move up.
void SiteTable::forget(std::uint16_t place) noexcept {
  const auto home = [&](std::uint16_t of) {
    const KnownSite& site = sites_[of];
    return hash_of(site.name, site.traits, site.flops, site.bytes) % kSlots;
  };
  std::size_t hole = home(place);
  while (slots_[hole] != place) hole = (hole + 1) % kSlots;
  for (std::size_t at = (hole + 1) % kSlots; slots_[at] != 0; at = (at + 1) % kSlots)
    if ((at - home(slots_[at])) % kSlots >= (at - hole) % kSlots) {
      slots_[hole] = slots_[at];
      hole = at;
    }
  slots_[hole] = 0;
}

namespace {

// Null without memory for one. Asked for once by each thread.
[[gnu::noinline]] SiteTable* make_table() noexcept {
  const ThreadCounters before = thread_counters;  // what watching takes is nobody's
  static thread_local std::unique_ptr<SiteTable> owner;
  owner.reset(new (std::nothrow) SiteTable);
  thread_counters = before;
  return owner.get();
}

}  // namespace

KnownSite& find_site(const char* name, const ZoneTraits& traits, std::int64_t flops,
                     std::int64_t bytes) noexcept {
  static thread_local SiteTable* const table = make_table();
  if (table != nullptr) [[likely]]
    return table->find(name, traits, flops, bytes);
  static thread_local KnownSite none{.name = "(no memory)", .place = 1};
  return none;
}

}  // namespace smallmind
