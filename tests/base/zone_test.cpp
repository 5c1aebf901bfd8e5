// Zones and the pool's waits reach the sink as whole intervals.
#include "base/zone.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/thread_pool.h"

namespace smallmind {
namespace {

class Zones : public testing::Test {
 protected:
  void SetUp() override {
    if (!SM_ZONES) GTEST_SKIP() << "skipped: built without zones";
  }
};

TEST_F(Zones, ReachTheSinkAtTheirEndInnerOnesFirst) {
  struct Recorder {
    std::string text;
    double flops = 0;
    std::uint64_t begin = 0, end = 0;
  } recorder;
  const ZoneSink sink{[](void* c, const ZoneRecord& zone) noexcept {
                        Recorder& to = *static_cast<Recorder*>(c);
                        to.text += std::string(zone.name) + ">";
                        to.flops += zone.work.flops;
                        if (to.end != 0) {
                          EXPECT_LE(zone.begin, to.begin);
                          EXPECT_GE(zone.end, to.end);
                        }
                        to.begin = zone.begin;
                        to.end = zone.end;
                      },
                      &recorder};
  { const Zone before("unseen"); }
  const ZoneSink* former = set_zone_sink(&sink);
  {
    Zone a("a", {.flops = 3});
    EXPECT_EQ(Zone::open(), &a);
    a.add(4, 0);
    const Zone b("b", {.phase = Phase::forward, .layer = 2});
    EXPECT_EQ(Zone::open()->work().layer, 2);
  }
  EXPECT_EQ(Zone::open(), nullptr);
  set_zone_sink(former);
  { const Zone after("unseen"); }
  EXPECT_EQ(recorder.text, "b>a>");
  EXPECT_EQ(recorder.flops, 7);
}

TEST_F(Zones, APoolRecordsSharesWaitsAndIdleTimesOnEachThread) {
  struct Sums {
    std::mutex mutex;
    std::map<std::string, int> count;
    std::map<std::string, std::uint64_t> ticks;
  } sums;
  const ZoneSink sink{[](void* c, const ZoneRecord& zone) noexcept {
                        Sums& to = *static_cast<Sums*>(c);
                        const std::lock_guard lock(to.mutex);
                        const std::string key =
                            std::string(zone.name) + std::to_string(static_cast<int>(zone.work.kind));
                        ++to.count[key];
                        to.ticks[key] += zone.end - zone.begin;
                      },
                      &sums};
  const auto sleep = [](int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); };
  ThreadPool pool(2);
  pool.run([](int) {});
  const ZoneSink* former = set_zone_sink(&sink);
  const std::uint64_t begin = zone_ticks();
  {
    const Zone zone("work", {.phase = Phase::forward, .kind = ZoneKind::op});
    pool.run([&](int thread) { sleep(thread == 1 ? 10 : 0); });  // the caller waits at the end
    pool.run([&](int thread) {
      sleep(thread == 0 ? 10 : 0);  // the worker waits at the barrier
      pool.barrier(thread);
    });
    sleep(10);  // the worker is idle
  }
  pool.run([](int) {});
  const auto ms = [&, total = zone_ticks() - begin](const char* key) {
    return 30.0 * static_cast<double>(sums.ticks[key]) / static_cast<double>(total);
  };
  sleep(1);
  set_zone_sink(former);
  const std::lock_guard lock(sums.mutex);
  EXPECT_EQ(sums.count["work1"], 1);
  EXPECT_EQ(sums.count["work3"], 2) << "the worker's shares carry the name of the caller's zone";
  EXPECT_NEAR(ms("work1"), 30, 3);
  EXPECT_NEAR(ms("work3"), 20, 4);
  EXPECT_NEAR(ms("join4"), 10, 3);
  EXPECT_NEAR(ms("barrier4"), 10, 3);
  EXPECT_GE(ms("idle5"), 7);
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
