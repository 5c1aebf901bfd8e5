// The pool: every index once, visibility across run() and barrier(), exceptions, naming, float mode, sleep
// and wake.
#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/float_mode.h"

namespace smallmind {
namespace {

class ThreadPoolSizes : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolSizes, CallsEveryIndexOnce) {
  ThreadPool pool(GetParam());
  ASSERT_EQ(pool.size(), GetParam());
  std::vector<int> calls(static_cast<std::size_t>(pool.size()), 0);
  for (int round = 0; round < 500; ++round)
    pool.run([&](int index) { ++calls[static_cast<std::size_t>(index)]; });
  for (const int count : calls) EXPECT_EQ(count, 500);
}

TEST_P(ThreadPoolSizes, BarrierMakesWritesVisible) {
  ThreadPool pool(GetParam());
  const int n = pool.size();
  std::vector<int> values(static_cast<std::size_t>(n), 0);
  std::atomic<int> wrong{0};
  pool.run([&](int index) {
    for (int round = 1; round <= 200; ++round) {
      values[static_cast<std::size_t>(index)] = round;
      pool.barrier(index);
      if (std::accumulate(values.begin(), values.end(), 0) != n * round) ++wrong;
      pool.barrier(index);
    }
  });
  EXPECT_EQ(wrong.load(), 0);
}

TEST_P(ThreadPoolSizes, RethrowsAndStaysUsable) {
  ThreadPool pool(GetParam());
  for (int thrower = 0; thrower < pool.size(); ++thrower) {
    for (int round = 0; round < 20; ++round) {
      EXPECT_THROW(pool.run([&](int index) {
        if (index == thrower) throw std::out_of_range("from f");
        pool.barrier(index);
        if (pool.size() > 1) ADD_FAILURE() << "passed a barrier that one thread never reached";
      }),
                   std::out_of_range);
      std::atomic<int> calls{0};
      pool.run([&](int index) {
        pool.barrier(index);
        ++calls;
      });
      EXPECT_EQ(calls.load(), pool.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Pool, ThreadPoolSizes, testing::Values(1, 2, 3, 8));

TEST(ThreadPool, SleepsAndWakes) {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // far beyond the spin: the worker sleeps
    pool.run([&](int index) {
      if (index == 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // and now the caller
      ++calls;
    });
  }
  EXPECT_EQ(calls.load(), 40);
}

TEST(ThreadPool, WorkersAreNamedAndFlushDenormals) {
  ThreadPool pool(2);
  char name[16] = {};
  bool flushes = false;
  pool.run([&](int index) {
    if (index == 0) return;
    pthread_getname_np(pthread_self(), name, sizeof name);
    flushes = FlushDenormals::active();
  });
  EXPECT_STREQ(name, "sm-1");
#if defined(__SSE2__)
  EXPECT_TRUE(flushes);
  EXPECT_FALSE(FlushDenormals::active()) << "the caller's mode must not change";
#endif
}

TEST(ThreadPool, RefusesNestedRunAndBadSizes) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.run([&](int index) {
    if (index == 0) pool.run([](int) {});
  }),
               Error);
  EXPECT_THROW(ThreadPool(0), Error);
}

TEST(ThreadPool, TwoPoolsOnOneMachineDoNotCollapse) {
  // 6 threads per pool and two pools at once: far more spinners than cores. A pool that spun without end
  // would need a scheduler slice (milliseconds) per round; sleeping ones need some 100 us.
  const auto start = std::chrono::steady_clock::now();
  const auto work = [] {
    ThreadPool pool(6);
    for (int round = 0; round < 200; ++round) pool.run([&](int index) { pool.barrier(index); });
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(ThreadPool, HotRoundTripIsShort) {
  ThreadPool pool(2);
  std::vector<double> micros;
  for (int sample = 0; sample < 200; ++sample) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 50; ++i) pool.run([](int) {});
    const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - start;
    micros.push_back(elapsed.count() / 50);
  }
  std::nth_element(micros.begin(), micros.begin() + 20, micros.end());
  RecordProperty("round_trip_us", std::to_string(micros[20]));
  std::printf("round trip of 2 threads: %.2f us (first decile of 200 samples)\n", micros[20]);
}

TEST(FlushDenormals, RestoresTheCallersMode) {
#if defined(__SSE2__)
  const auto half = [](float x) {
    volatile float v = x;
    v = v * 0.5f;
    return static_cast<float>(v);
  };
  ASSERT_GT(half(1.2e-38f), 0.0f);
  {
    const FlushDenormals flush;
    EXPECT_EQ(half(1.2e-38f), 0.0f);
    { const FlushDenormals inner; }
    EXPECT_TRUE(FlushDenormals::active()) << "an inner scope must not end the outer one";
  }
  EXPECT_GT(half(1.2e-38f), 0.0f);
#else
  GTEST_SKIP() << "skipped: no MXCSR here";
#endif
}

}  // namespace
}  // namespace smallmind
