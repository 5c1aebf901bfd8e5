// Counters from a system of the test's own, since few machines that run tests have real ones.
#include "profiler/hardware_counters.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace smallmind {
namespace {

int opened = 0, closed = 0;

constexpr CounterSystem kThree{[](std::uint64_t config) {
                                 ++opened;
                                 return 10 + static_cast<int>(config);
                               },
                               [](int descriptor, std::uint64_t& value) {
                                 value = static_cast<std::uint64_t>(descriptor) * 100;
                                 return true;
                               },
                               [](int) { ++closed; }};
constexpr CounterSystem kTwo{[](std::uint64_t config) {
                               errno = ENOENT;
                               return config == 3 ? -1 : kThree.open(config);
                             },
                             kThree.read, kThree.close};

TEST(HardwareCountersTest, ReadsThreeCounters) {
  opened = closed = 0;
  {
    HardwareCounters counters(kThree);
    const HardwareCounters moved(std::move(counters));
    EXPECT_EQ(moved.missing(), "");
    const auto values = moved.read();
    ASSERT_TRUE(values.has_value());
    EXPECT_EQ(values->instructions, 1100u);  // PERF_COUNT_HW_INSTRUCTIONS is 1
    EXPECT_EQ(values->cycles, 1000u);
    EXPECT_EQ(values->cache_misses, 1300u);
  }
  EXPECT_EQ(opened, 3);
  EXPECT_EQ(closed, 3);
}

TEST(HardwareCountersTest, OneThatIsMissingIsSaidInOneLine) {
  opened = closed = 0;
  {
    const HardwareCounters counters(kTwo);
    EXPECT_FALSE(counters.read().has_value());
    EXPECT_NE(counters.missing().find("no hardware counters: No such file"), std::string::npos);
    EXPECT_EQ(counters.missing().find('\n'), std::string::npos);
  }
  EXPECT_EQ(opened, closed);
}

TEST(HardwareCountersTest, TheSystemsOwnEitherCountOrSayWhyNot) {
  const HardwareCounters counters;
  const auto values = counters.read();
  EXPECT_EQ(values.has_value(), counters.missing().empty());
  EXPECT_TRUE(!values || values->instructions > 0);
}

TEST(ClockTest, IsThatOfACpu) {
  const double ghz = measure_clock_ghz();
#if defined(__x86_64__)
  EXPECT_GT(ghz, 0.3);
  EXPECT_LT(ghz, 8);
#else
  EXPECT_EQ(ghz, 0);
#endif
}

}  // namespace
}  // namespace smallmind
