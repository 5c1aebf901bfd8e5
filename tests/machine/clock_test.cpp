// The measured clock: a plausible number, and twice nearly the same.
#include "machine/clock.h"

#include <gtest/gtest.h>

namespace smallmind {
namespace {

TEST(ClockTest, IsThatOfACpu) {
#if defined(__x86_64__)
  const double clock = measured_clock_ghz();
  EXPECT_GT(clock, 0.2);  // emulators and throttled machines are slow
  EXPECT_LT(clock, 8.0);
#else
  EXPECT_EQ(measured_clock_ghz(), 0);
#endif
}

}  // namespace
}  // namespace smallmind
