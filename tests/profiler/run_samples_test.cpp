// Samples of recordings with very many passes: a part of microseconds repeats twenty thousand times.
#include "profiler/run_samples.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/base/temp_folder.h"
#include "tests/profiler/synthetic_recording.h"

namespace smallmind {
namespace {

TEST(RunSamplesTest, EachOfSixtyThousandPassesIsASampleOfItsOwnOperationsOnly) {
  constexpr int kRepeats = 20'000;
  constexpr std::array kParts = {"add", "gelu", "softmax"};
  const TempFolder folder;
  const auto path = folder.path() / "many.smprof";
  {
    SyntheticRecording recording(path);
    const std::size_t main = recording.thread("main");
    std::uint64_t now = 0;
    for (const char* part : kParts)
      for (int repeat = 0; repeat <= kRepeats; ++repeat) {
        // The cold repeat takes longer; of the warm ones, the later the longer.
        const std::uint64_t begin = now,
                            ticks = repeat == 0 ? 90'000 : 1'000 + static_cast<std::uint64_t>(repeat % 7);
        recording.zone(main, part, {.flops = 64, .kind = ZoneKind::op}, begin + 10, begin + 10 + ticks);
        now = begin + ticks + 30;
        recording.zone(main, "a pass", {.layer = repeat, .kind = ZoneKind::pass}, begin, now);
      }
    recording.finish(now + 1);
  }
  const RunSamples run = run_samples(Recording::open(path));
  ASSERT_EQ(run.ops.size(), kParts.size());
  for (const char* part : kParts) {
    const OpSamples& samples = run.ops.at({"a pass", part, Phase::none});
    ASSERT_EQ(samples.seconds.size(), static_cast<std::size_t>(kRepeats));
    for (int i = 0; i < kRepeats; ++i)
      ASSERT_NEAR(samples.seconds[static_cast<std::size_t>(i)], 1e-9 * (1'000 + (i + 1) % 7), 1e-12);
    EXPECT_EQ(samples.calls, 1);
    EXPECT_EQ(samples.flops, 64);
  }
  ASSERT_EQ(run.wall.at("a pass").size(), kParts.size() * kRepeats);
  EXPECT_NEAR(run.wall.at("a pass").front(), 1e-9 * (1'001 + 30), 1e-12);
}

}  // namespace
}  // namespace smallmind
