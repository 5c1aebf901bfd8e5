// The sites that a thread's zones come from: what they say, once, and a number for each.
//
// A program repeats itself, so a zone is first compared with the site that followed the last one the time
// before, then with the one that came instead of that (attention over one more position); others are looked
// up by hash. A thread keeps a limited number of sites: when all places are taken, a new one takes the place
// of one of which no zone is open.
//
// While a thread runs a region of a pool, the workers read the site of its open zone. So what follows what,
// which may change at every zone, is kept apart from the sites.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/zone_record.h"

namespace smallmind {

inline constexpr std::size_t kMostKnownSites = 2040;

class SiteTable {
 public:
  SiteTable() noexcept;
  SiteTable(const SiteTable&) = delete;
  SiteTable& operator=(const SiteTable&) = delete;

  // The site of those zones. The reference stays valid; it means another site once its place is given away,
  // which happens in find() only, and not while one of its zones is open or it is pinned.
  KnownSite& find(const char* name, const ZoneTraits& traits, std::int64_t flops,
                  std::int64_t bytes) noexcept;

  // The table that holds a site.
  static SiteTable& of(KnownSite& site) noexcept {
    return *reinterpret_cast<SiteTable*>(&site - site.place);  // the sites are its first member
  }
  // The site of those zones if it is what is expected after `last`, or came instead the last time; else null.
  [[gnu::always_inline]] KnownSite* expected_after(const KnownSite& last, const char* name,
                                                   const ZoneTraits& traits, std::int64_t flops,
                                                   std::int64_t bytes) noexcept {
    std::uint16_t& next = links_[last.place].next;
    if (sites_[next].is(name, traits, flops, bytes)) return &sites_[next];
    const std::uint16_t instead = links_[next].instead;
    if (!sites_[instead].is(name, traits, flops, bytes)) return nullptr;
    next = instead;
    return &sites_[instead];
  }
  // What came after `last`, unexpectedly.
  void set_after(const KnownSite& last, const KnownSite& site) noexcept {
    links_[links_[last.place].next].instead = site.place;
    links_[last.place].next = site.place;
  }

 private:
  static constexpr std::size_t kSlots = 4 * 2048;  // a power of two

  // Places.
  struct Links {
    std::uint16_t next = 0;     // of what followed the last time
    std::uint16_t instead = 0;  // of what came the last time that this one was expected in vain
  };

  std::uint16_t free_place(std::uint64_t hash) noexcept;
  void forget(std::uint16_t place) noexcept;

  std::array<KnownSite, kMostKnownSites> sites_;  // in order of appearance; place 0 is nobody's
  std::array<Links, kMostKnownSites> links_{};    // of the site at that place
  std::array<std::uint16_t, kSlots> slots_{};     // by hash, or the next free ones after it: the places
  std::size_t places_ = 1;                        // taken so far
  std::uint64_t evicted_ = 0;
};

// The same in the calling thread's table. Without memory for one all zones are of one site, "(no memory)".
KnownSite& find_site(const char* name, const ZoneTraits& traits, std::int64_t flops,
                     std::int64_t bytes) noexcept;

}  // namespace smallmind
