// Each schedule against values worked out by hand.
#include "train/lr_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace smallmind {
namespace {

LrSchedule schedule(ScheduleKind kind) {
  return {.kind = kind, .lr = 1.0, .min_lr = 0.1, .warmup = 4, .horizon = 24};
}

TEST(LrSchedule, WarmsUpLinearly) {
  for (const ScheduleKind kind : {ScheduleKind::constant, ScheduleKind::cosine, ScheduleKind::wsd,
                                  ScheduleKind::step, ScheduleKind::exponential}) {
    const LrSchedule s = schedule(kind);
    EXPECT_DOUBLE_EQ(s.rate(0), 0.2);
    EXPECT_DOUBLE_EQ(s.rate(3), 0.8);
    EXPECT_DOUBLE_EQ(s.rate(4), 1.0);
  }
}

TEST(LrSchedule, ConstantStays) {
  EXPECT_DOUBLE_EQ(schedule(ScheduleKind::constant).rate(1000), 1.0);
}

TEST(LrSchedule, CosineFallsToTheMinimum) {
  const LrSchedule s = schedule(ScheduleKind::cosine);
  EXPECT_DOUBLE_EQ(s.rate(14), 0.55);  // half way
  EXPECT_NEAR(s.rate(9), 0.1 + 0.9 * 0.5 * (1.0 + std::sqrt(0.5)), 1e-12);
  EXPECT_DOUBLE_EQ(s.rate(24), 0.1);
  EXPECT_DOUBLE_EQ(s.rate(100), 0.1);
}

TEST(LrSchedule, WsdDecaysOnlyAtTheEnd) {
  LrSchedule s = schedule(ScheduleKind::wsd);
  s.decay_share = 0.5;  // the last 12 steps
  EXPECT_DOUBLE_EQ(s.rate(12), 1.0);
  EXPECT_DOUBLE_EQ(s.rate(18), 0.55);
  EXPECT_DOUBLE_EQ(s.rate(24), 0.1);
}

TEST(LrSchedule, StepIsAStaircaseAndExponentialItsSmoothForm) {
  LrSchedule s = schedule(ScheduleKind::step);
  s.decay_factor = 0.25;
  s.decay_every = 10;
  EXPECT_DOUBLE_EQ(s.rate(13), 1.0);
  EXPECT_DOUBLE_EQ(s.rate(14), 0.25);
  EXPECT_DOUBLE_EQ(s.rate(24), 0.1);  // 0.0625 is below the minimum
  s.kind = ScheduleKind::exponential;
  EXPECT_DOUBLE_EQ(s.rate(9), 0.5);
  EXPECT_DOUBLE_EQ(s.rate(14), 0.25);
}

TEST(LrSchedule, OneCycleRisesAndFalls) {
  LrSchedule s = schedule(ScheduleKind::one_cycle);
  EXPECT_NEAR(s.rate(0), 0.04, 1e-15);
  EXPECT_NEAR(s.rate(2), 0.52, 1e-15);
  EXPECT_DOUBLE_EQ(s.rate(4), 1.0);
  EXPECT_DOUBLE_EQ(s.rate(14), 0.55);
  EXPECT_DOUBLE_EQ(s.rate(24), 0.1);
  s.warmup = 0;
  s.horizon = 20;
  EXPECT_DOUBLE_EQ(s.rate(6), 1.0);  // 30 % of the horizon
}

TEST(LrSchedule, RefusesWhatHasNoMeaning) {
  LrSchedule s = schedule(ScheduleKind::cosine);
  EXPECT_NO_THROW(s.validate());
  s.min_lr = 2.0;
  EXPECT_THROW(s.validate(), Error);
  s = schedule(ScheduleKind::cosine);
  s.lr = std::nan("");
  EXPECT_THROW(s.validate(), Error);
  EXPECT_THROW(parse_schedule("linear"), Error);
  for (const std::string_view name : schedule_names()) EXPECT_EQ(schedule_name(parse_schedule(name)), name);
}

}  // namespace
}  // namespace smallmind
