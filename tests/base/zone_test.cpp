// Zones reach the sink in nesting order, and the table adds exclusive time up to the wall time.
#include "base/zone.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/hot_path.h"
#include "base/thread_pool.h"

namespace smallmind {
namespace {

class Zones : public testing::Test {
 protected:
  void SetUp() override {
    if (!SM_ZONES) GTEST_SKIP() << "skipped: built without zones";
  }
};

void busy(double milliseconds) {
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() <
         milliseconds) {
  }
}

const HotPathRow& row_of(const std::vector<HotPathRow>& rows, std::string_view name,
                         Phase phase = Phase::none) {
  for (const HotPathRow& row : rows)
    if (row.name == name && row.phase == phase) return row;
  static const HotPathRow kNone;
  ADD_FAILURE() << "no row " << name;
  return kNone;
}

TEST_F(Zones, ReachTheSinkInNestingOrder) {
  struct Recorder {
    std::string text;
    double flops = 0;
  } recorder;
  const ZoneSink sink{[](void* c, const char* name, const ZoneWork&, std::uint64_t) noexcept {
                        static_cast<Recorder*>(c)->text += std::string("<") + name;
                      },
                      [](void* c, const char* name, const ZoneWork& work, std::uint64_t) noexcept {
                        static_cast<Recorder*>(c)->text += std::string(name) + ">";
                        static_cast<Recorder*>(c)->flops += work.flops;
                      },
                      &recorder};
  { const Zone before("unseen"); }
  const ZoneSink* former = set_zone_sink(&sink);
  {
    Zone a("a", {.flops = 3});
    a.add(4, 0);
    const Zone b("b", {.phase = Phase::forward, .layer = 2});
  }
  set_zone_sink(former);
  { const Zone after("unseen"); }
  EXPECT_EQ(recorder.text, "<a<bb>a>");
  EXPECT_EQ(recorder.flops, 7);
}

TEST_F(Zones, ExclusiveTimesAddUpAndNestingCountsOnce) {
  HotPathTable table;
  {
    const Zone outer("outer");
    busy(4);
    {
      const Zone inner("inner", {.phase = Phase::forward, .flops = 1e6, .bytes = 2e6});
      busy(6);
      const Zone again("inner", {.phase = Phase::forward});
      busy(2);
    }
    const Zone backward("inner", {.phase = Phase::backward});
    busy(1);
  }
  busy(3);
  const double wall = table.wall_seconds();
  const auto rows = table.rows();
  ASSERT_EQ(rows.size(), 3u);
  const HotPathRow& outer = row_of(rows, "outer");
  const HotPathRow& inner = row_of(rows, "inner", Phase::forward);
  EXPECT_EQ(inner.calls, 2);
  EXPECT_DOUBLE_EQ(inner.flops, 1e6);
  EXPECT_DOUBLE_EQ(inner.bytes, 2e6);
  EXPECT_GE(inner.inclusive_seconds, 0.0079);
  EXPECT_NEAR(inner.exclusive_seconds, inner.inclusive_seconds, 1e-9) << "it nests only in itself";
  EXPECT_GE(outer.exclusive_seconds, 0.0039);
  double exclusive = 0;
  for (const HotPathRow& row : rows) exclusive += row.exclusive_seconds;
  EXPECT_NEAR(exclusive, outer.inclusive_seconds, 1e-9);
  EXPECT_GE(wall - exclusive, 0.0029) << "the time outside of zones";
  EXPECT_LE(wall - exclusive, wall);
  const std::string text = table.text(2) + table.text();
  for (const char* part : {"outer", "inner forward", "the rest", "outside of zones", "GFLOP/s"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST_F(Zones, ThreadsHaveTheirOwnTables) {
  ThreadPool pool(3);
  HotPathTable table;
  for (int round = 0; round < 10; ++round) pool.run([](int) { const Zone zone("work"); });
  table.stop();
  pool.run([](int) { const Zone zone("after the end"); });
  ASSERT_EQ(table.rows(false).size(), 3u);
  for (const HotPathRow& row : table.rows(false)) EXPECT_EQ(row.calls, 10);
  ASSERT_EQ(table.rows().size(), 1u);
  EXPECT_EQ(table.rows()[0].calls, 30);
}

TEST_F(Zones, DeepNestingIsSafe) {
  HotPathTable table;
  struct Nest {
    static void go(int depth) {
      const Zone zone("nest");
      if (depth > 1) go(depth - 1);
    }
  };
  Nest::go(200);
  { const Zone zone("next"); }
  EXPECT_EQ(row_of(table.rows(), "nest").calls, 64);
  EXPECT_EQ(row_of(table.rows(), "next").calls, 1);
}

TEST_F(Zones, AnIdleMarkerIsCheap) {
  double least = 1e9;
  for (int sample = 0; sample < 50; ++sample) {
    const std::uint64_t start = zone_ticks();
    for (int i = 0; i < 1000; ++i) const Zone zone("idle");
    least = std::min(least, static_cast<double>(zone_ticks() - start) / 1000);
  }
  EXPECT_LT(least, 100) << "ticks per idle marker";
}

}  // namespace
}  // namespace smallmind
