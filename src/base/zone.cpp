// What becomes of zones and waits while a sink watches; see zone.h.
//
// The common case, an op that was expected and begins where the last one ended, is some 140 instructions, a
// recorder's included: functions that call another one last, keep nothing for afterwards, and hand on numbers
// rather than structs (a copy of what was just stored in pieces waits until the pieces have arrived).
#include "base/zone.h"

#include <memory>
#include <utility>

#include "base/known_sites.h"

#if SM_ZONES

namespace smallmind {
namespace {

using detail::thread_zones;
using detail::ThreadZones;

// Of the calling thread; null where it is not what was expected.
[[gnu::always_inline]] inline KnownSite* expected_site(const ThreadZones& thread, const char* name,
                                                       const ZoneTraits& traits, std::int64_t flops,
                                                       std::int64_t bytes) noexcept {
  if (thread.last == nullptr) [[unlikely]]
    return nullptr;
  return SiteTable::of(*thread.last).expected_after(*thread.last, name, traits, flops, bytes);
}

KnownSite& other_site(const ThreadZones& thread, const char* name, const ZoneTraits& traits,
                      std::int64_t flops, std::int64_t bytes) noexcept {
  KnownSite& site = find_site(name, traits, flops, bytes);
  if (thread.last != nullptr) SiteTable::of(*thread.last).set_after(*thread.last, site);
  return site;
}

}  // namespace

void hand_over_wait(const ZoneSink& sink) noexcept {
  ThreadZones& thread = thread_zones;
  if (thread.of_sink.wait.name == nullptr) return;
  const ZoneWait wait = std::exchange(thread.of_sink.wait, {});
  sink.complete(sink, thread.of_sink, find_site(wait.name, ZoneTraits::of({.kind = wait.kind}), 0, 0),
                wait.begin, wait.end, thread_counters);
}

[[gnu::always_inline]] inline void Zone::enter(ThreadZones& thread, KnownSite& site) noexcept {
  thread.last = &site;
  site_ = &site;
  outer_ = std::exchange(thread.open, this);
  std::construct_at(&before_, thread_counters);
  const bool chained = site.traits.kind() == ZoneKind::op && outer_ != nullptr && thread.chained_end != 0;
  begin_ = chained ? thread.chained_end : zone_ticks();
  thread.chained_end = 0;
}

void Zone::begin(const char* name, ZoneTraits traits, std::int64_t flops, std::int64_t bytes) noexcept {
  ThreadZones& thread = thread_zones;
  KnownSite* site = expected_site(thread, name, traits, flops, bytes);
  if (site == nullptr || thread.of_sink.wait.name != nullptr) [[unlikely]]
    return begin_elsewhere(name, traits, flops, bytes);
  enter(thread, *site);
}

void Zone::begin_elsewhere(const char* name, ZoneTraits traits, std::int64_t flops,
                           std::int64_t bytes) noexcept {
  ThreadZones& thread = thread_zones;
  hand_over_wait(*sink_);
  KnownSite& site = other_site(thread, name, traits, flops, bytes);
  enter(thread, site);
  if (!site.tabled) thread.last = nullptr;
}

void Zone::end() noexcept {
  const std::uint64_t end = zone_ticks();
  ThreadZones& thread = thread_zones;
  thread.open = outer_;
  thread.chained_end = site_->traits.kind() == ZoneKind::op ? end : 0;
  sink_->complete(*sink_, thread.of_sink, *site_, begin_, end, before_);
}

void complete_interval(const ZoneSink& sink, const char* name, const ZoneTraits& traits, std::uint64_t begin,
                       std::uint64_t end, const ThreadCounters& before) noexcept {
  ThreadZones& thread = thread_zones;
  KnownSite* site = expected_site(thread, name, traits, 0, 0);
  if (site == nullptr) [[unlikely]]
    site = &other_site(thread, name, traits, 0, 0);
  thread.last = site->tabled ? site : nullptr;
  sink.complete(sink, thread.of_sink, *site, begin, end, before);
}

}  // namespace smallmind

#endif
