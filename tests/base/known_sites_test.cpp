// A thread's sites: found again, each with a place of its own, and never taken from under an open zone.
#include "base/known_sites.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

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

TEST(SiteTable, APlaceWithAnOpenZoneIsKept) {
  const auto table = std::make_unique<SiteTable>();
  KnownSite& open = table->find(kName, layer(0), 0, 0);
  open.opened = 1;
  for (int i = 1; i < 30000; ++i) EXPECT_NE(&table->find(kName, layer(i), 0, 0), &open);
  EXPECT_TRUE(open.is(kName, layer(0), 0, 0));
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
