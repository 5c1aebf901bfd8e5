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

// A sink of an object's.
template <class T>
struct SinkTo : ZoneSink {
  T* to;
  static T& target(const ZoneSink& self) { return *static_cast<const SinkTo&>(self).to; }
};

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
  const SinkTo<Recorder> sink{{[](const ZoneSink& self, SinkMemory&, KnownSite& site, std::uint64_t begin,
                                  std::uint64_t end, const ThreadCounters&) noexcept {
                                Recorder& to = SinkTo<Recorder>::target(self);
                                to.text += std::string(site.name) + ">";
                                to.flops += static_cast<double>(site.flops);
                                if (to.end != 0) {
                                  EXPECT_LE(begin, to.begin);
                                  EXPECT_GE(end, to.end);
                                }
                                to.begin = begin;
                                to.end = end;
                              }},
                              &recorder};
  { const Zone before("unseen"); }
  const ZoneSink* former = set_zone_sink(&sink);
  {
    const Zone a("a", {.flops = 3});
    EXPECT_EQ(Zone::open(), &a);
    const Zone b("b", {.phase = Phase::forward, .layer = 2, .flops = 4});
    EXPECT_EQ(Zone::open()->site().traits.work().layer, 2);
  }
  EXPECT_EQ(Zone::open(), nullptr);
  set_zone_sink(former);
  { const Zone after("unseen"); }
  EXPECT_EQ(recorder.text, "b>a>");
  EXPECT_EQ(recorder.flops, 7);
}

// What a pool of two records while its threads sleep at known places, as milliseconds of 30 that the work
// takes.
class PoolSums {
 public:
  PoolSums() {
    const SinkTo<PoolSums> sink{{[](const ZoneSink& self, SinkMemory& memory, KnownSite& site,
                                    std::uint64_t begin, std::uint64_t end, const ThreadCounters&) noexcept {
                                  PoolSums& sums = SinkTo<PoolSums>::target(self);
                                  if (const ZoneWait& wait = memory.wait; wait.name != nullptr)
                                    sums.add(wait.name, wait.kind, wait.end - wait.begin);
                                  memory.wait.name = nullptr;
                                  sums.add(site.name, site.traits.kind(), end - begin);
                                }},
                                this};
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
    total_ = zone_ticks() - begin;
    sleep(1);
    set_zone_sink(former);
  }

  int count(const std::string& key) { return count_[key]; }
  double ms(const std::string& key) {
    return 30.0 * static_cast<double>(ticks_[key]) / static_cast<double>(total_);
  }
  // Sleeps end late where others have the cores.
  bool as_expected() {
    const auto near = [&](const char* key, double expected, double by) {
      return std::abs(ms(key) - expected) <= by;
    };
    return near("work1", 30, 3) && near("work3", 20, 4) && near("join4", 10, 3) && near("barrier4", 10, 3) &&
           ms("idle5") >= 7;
  }

 private:
  void add(const char* name, ZoneKind kind, std::uint64_t ticks) {
    const std::lock_guard lock(mutex_);
    const std::string key = std::string(name) + std::to_string(static_cast<int>(kind));
    ++count_[key];
    ticks_[key] += ticks;
  }

  std::mutex mutex_;
  std::map<std::string, int> count_;
  std::map<std::string, std::uint64_t> ticks_;
  std::uint64_t total_ = 1;
};

TEST_F(Zones, APoolRecordsSharesWaitsAndIdleTimesOnEachThread) {
  bool expected = false;
  for (int attempt = 0; attempt < 10 && !expected; ++attempt) {
    PoolSums sums;
    EXPECT_EQ(sums.count("work1"), 1);
    EXPECT_EQ(sums.count("work3"), 2) << "the worker's shares carry the name of the caller's zone";
    expected = sums.as_expected();
  }
  EXPECT_TRUE(expected)
      << "work, shares, join, barrier and idle time were never 30, 20, 10, 10 and 10 of 30 ms";
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
