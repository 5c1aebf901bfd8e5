// A thread's sites: found again, each with a place of its own, and never taken from under an open zone.
#include "base/known_sites.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/zone.h"

namespace smallmind {
namespace {

constexpr const char* kName = "op";

ZoneTraits layer(int l) {
  return ZoneTraits::of({.layer = l});
}

TEST(SiteTable, FindsWhatSaysTheSame) {
  const auto table = std::make_unique<SiteTable>();
  KnownSite& site = table->find(kName, layer(1), 10, 20);
  EXPECT_EQ(&table->find(kName, layer(1), 10, 20), &site);
  std::set<std::uint16_t> places{0, site.place};
  for (const KnownSite* other :
       {&table->find("other", layer(1), 10, 20), &table->find(kName, layer(2), 10, 20),
        &table->find(kName, layer(1), 11, 20), &table->find(kName, layer(1), 10, 21),
        &table->find(kName, layer(1).as(ZoneKind::share), 10, 20)})
    EXPECT_TRUE(places.insert(other->place).second);
  EXPECT_TRUE(site.is(kName, layer(1), 10, 20));
}

TEST(SiteTable, ACycleOfSitesThatFitsSettlesAndALongerOneKeepsMost) {
  const auto table = std::make_unique<SiteTable>();
  const auto changed = [&](int sites, int first) {  // in one turn, after some
    int count = 0;
    for (int turn = 0; turn < 60; ++turn) {
      count = 0;
      for (int i = 0; i < sites; ++i) {
        KnownSite& site = table->find(kName, layer(first + i), 0, 0);
        count += site.defined_for == 0;
        site.defined_for = 1;
      }
    }
    return count;
  };
  EXPECT_EQ(changed(2000, 0), 0);
  EXPECT_EQ(changed(50, 10000), 0) << "the table is full now, and the new ones drive out old ones only";
  EXPECT_LT(changed(2200, 0), 1100);
}

TEST(SiteTable, APlaceThatIsPinnedIsKept) {
  const auto table = std::make_unique<SiteTable>();
  KnownSite& pinned = table->find(kName, layer(0), 0, 0);
  pinned.pinned = true;
  for (int i = 1; i < 30000; ++i) EXPECT_NE(&table->find(kName, layer(i), 0, 0), &pinned);
  EXPECT_TRUE(pinned.is(kName, layer(0), 0, 0));
  pinned.pinned = false;
  for (int i = 1; i < 30000; ++i) table->find(kName, layer(i), 0, 0);
  EXPECT_FALSE(pinned.is(kName, layer(0), 0, 0)) << "else nothing was shown";
}

TEST(SiteTable, APlaceWithAnOpenZoneIsKept) {
  if (!SM_ZONES) GTEST_SKIP() << "skipped: built without zones";
  static constexpr ZoneSink kNothing{[](const ZoneSink&, SinkMemory&, KnownSite&, std::uint64_t,
                                        std::uint64_t, const ThreadCounters&) noexcept {}};
  set_zone_sink(&kNothing);
  {
    const Zone outer("outer"), inner("inner");
    const KnownSite& site = outer.site();
    for (const KnownSite* open : {&outer.site(), &inner.site()})
      for (int i = 0; i < 15000; ++i) EXPECT_NE(&find_site(kName, layer(i), 0, 0), open);
    EXPECT_STREQ(site.name, "outer");
    EXPECT_STREQ(inner.site().name, "inner");
    EXPECT_TRUE(Zone::any_open(site));
  }
  set_zone_sink(nullptr);
}

TEST(ZoneTraits, KeepWhatAZoneSays) {
  const ZoneWork work{
      .phase = Phase::backward, .layer = -7, .shape = {-1, 2, 1 << 30}, .kind = ZoneKind::pass};
  const ZoneWork again = ZoneTraits::of(work).work();
  EXPECT_EQ(again.phase, work.phase);
  EXPECT_EQ(again.layer, work.layer);
  EXPECT_EQ(again.shape, work.shape);
  EXPECT_EQ(again.kind, work.kind);
}

}  // namespace
}  // namespace smallmind
