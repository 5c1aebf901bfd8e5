// Comparisons of synthetic runs whose truth is known.
#include "profiler/compare.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "profiler/compare_report.h"

namespace smallmind {
namespace {

const char* const kNames[] = {"linear",    "attention", "layer_norm", "gelu",
                              "embedding", "sample",    "add",        "rope"};
const double kMilliseconds[] = {40, 20, 12, 10, 8, 4, 3, 3};

// Runs of a machine with all the noise of a real one: passes, processes, slow drifts; `slow` multiplies one
// op.
class Machine {
 public:
  explicit Machine(unsigned seed) : random_(seed) {}

  RunSamples run(const std::string& slow = "", double factor = 1) {
    RunSamples run;
    drift_ += 0.01 * normal_(random_);  // of the clock, common to all
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
      const double process = 0.008 * normal_(random_);  // pages and layout: one draw for all passes
      OpSamples samples;
      for (int pass = 0; pass < 12; ++pass) {
        const double outlier = pass == 5 ? 0.5 * std::abs(normal_(random_)) : 0;
        const double noise = 0.01 * normal_(random_) + outlier;
        samples.seconds.push_back(1e-3 * kMilliseconds[i] * (kNames[i] == slow ? factor : 1) *
                                  std::exp(drift_ + process + noise));
      }
      samples.calls = 8;
      samples.flops = 1e9;
      samples.bytes = 1e6;
      run.ops.emplace(OpKey{"KV cache", kNames[i], Phase::decode}, std::move(samples));
    }
    return run;
  }

  // Blocks in turns: A B A B ...
  std::pair<std::vector<RunSamples>, std::vector<RunSamples>> blocks(int count, const std::string& slow = "",
                                                                     double factor = 1) {
    std::pair<std::vector<RunSamples>, std::vector<RunSamples>> sides;
    for (int i = 0; i < count; ++i) {
      sides.first.push_back(run());
      sides.second.push_back(run(slow, factor));
    }
    return sides;
  }

 private:
  std::mt19937 random_;
  std::normal_distribution<double> normal_;
  double drift_ = 0;
};

bool any_judged(const Comparison& comparison) {
  for (const OpChange& op : comparison.ops)
    if (op.verdict == OpChange::Verdict::slower || op.verdict == OpChange::Verdict::faster) return true;
  return false;
}

class CompareBlocks : public testing::TestWithParam<int> {};

TEST_P(CompareBlocks, SameBuildsShowNoChange) {
  int false_alarms = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    const auto [a, b] = Machine(seed).blocks(GetParam());
    false_alarms += any_judged(compare_runs(a, b)) ? 1 : 0;
  }
  // Of 200: 2 %, with three standard deviations of that count, or 0.5 %.
  EXPECT_LE(false_alarms, GetParam() == 1 ? 4 + 6 : 1 + 3);
}

TEST_P(CompareBlocks, ASlowDownOfTenPercentIsNamedFirst) {
  for (const std::string slow : {"linear", "attention", "layer_norm"}) {
    int named = 0;
    for (unsigned seed = 1; seed <= 60; ++seed) {
      const auto [a, b] = Machine(seed).blocks(GetParam(), slow, 1.10);
      const Comparison comparison = compare_runs(a, b);
      const OpChange& first = comparison.ops.front();
      named += first.key.name == slow && first.verdict == OpChange::Verdict::slower ? 1 : 0;
    }
    // A single pair of runs must guess the spread between processes from eight operations, and tells less.
    EXPECT_GE(named, GetParam() == 1 ? 36 : 57) << slow;
  }
}

INSTANTIATE_TEST_SUITE_P(Blocks, CompareBlocks, testing::Values(1, 5, 8));

TEST(Compare, AShiftCommonToAllIsTheMachines) {
  Machine machine(7);
  std::vector<RunSamples> a, b;
  for (int i = 0; i < 5; ++i) {
    a.push_back(machine.run());
    b.push_back(machine.run());
    for (auto& [key, samples] : b.back().ops)
      for (double& seconds : samples.seconds) seconds *= 1.2;
  }
  const Comparison comparison = compare_runs(a, b);
  EXPECT_NEAR(comparison.shift, 0.2, 0.03);
  EXPECT_FALSE(any_judged(comparison));
  EXPECT_EQ(worst_slow_down(comparison), 0);
  EXPECT_NE(compare_text(comparison, {}).find("the machine's doing"), std::string::npos);
}

TEST(Compare, OperationsAppearAndVanish) {
  auto [a, b] = Machine(3).blocks(4);
  for (RunSamples& run : a) run.ops.erase(OpKey{"KV cache", "rope", Phase::decode});
  for (RunSamples& run : b) run.ops.erase(OpKey{"KV cache", "gelu", Phase::decode});
  const Comparison comparison = compare_runs(a, b);
  const std::string text = compare_text(comparison, {});
  EXPECT_NE(text.find("Appeared\n"), std::string::npos);
  EXPECT_NE(text.find("Vanished\n"), std::string::npos);
  for (const OpChange& op : comparison.ops) {
    EXPECT_EQ(op.verdict == OpChange::Verdict::appeared, op.key.name == "rope");
    EXPECT_EQ(op.verdict == OpChange::Verdict::vanished, op.key.name == "gelu");
  }
}

TEST(Compare, CausesComeFromTheCounts) {
  auto [a, b] = Machine(5).blocks(5, "attention", 1.5);
  const OpKey attention{"KV cache", "attention", Phase::decode}, add{"KV cache", "add", Phase::decode};
  for (RunSamples& run : b) {
    run.ops.at(attention).calls = 12;
    run.ops.at(add).heap_allocations = 3;
    run.environment = R"({"isa": "avx2", "date": "tomorrow", "clock_ghz": 4.30, "cpu": {"cores": 2}})";
  }
  for (RunSamples& run : a)
    run.environment = R"({"isa": "avx512", "date": "today", "clock_ghz": 4.31, "cpu": {"cores": 2}})";
  const Comparison comparison = compare_runs(a, b);
  EXPECT_EQ(comparison.ops.front().key, attention);
  EXPECT_NE(comparison.ops.front().cause.find("calls 8 -> 12 (+50.0 %)"), std::string::npos);
  EXPECT_GT(worst_slow_down(comparison), 0.4);
  ASSERT_EQ(comparison.environment.size(), 1U);
  EXPECT_EQ(comparison.environment[0], "isa: avx512 -> avx2");
  EXPECT_NE(compare_markdown(comparison, {}).find("## Heap allocations per pass\n"), std::string::npos);
  const auto document = nlohmann::json::parse(compare_json(comparison, {}));
  EXPECT_EQ(document["ops"][0]["name"], "attention");
  EXPECT_EQ(document["ops"][0]["verdict"], "slower");
}

// Recordings of a real machine: eight blocks of the same program on both sides, and of one whose linear_gelu
// takes 10 % longer (bench/profiler/compare_power.py --pairs 1 --blocks 8 --passes 8 --keep DIR wrote them).
std::vector<RunSamples> stored_runs(const std::string& side) {
  std::vector<RunSamples> runs;
  for (int block = 0; block < 8; ++block)
    runs.push_back(run_samples(Recording::open(
        fmt::format("{}/tests/profiler/data/compare/{}/{}.smprof", SM_SOURCE_DIR, side, block))));
  return runs;
}

TEST(Compare, ReplayedRecordingsOfTheSameProgramShowNoChange) {
  const Comparison comparison = compare_runs(stored_runs("a"), stored_runs("b"));
  EXPECT_TRUE(comparison.paired);
  EXPECT_FALSE(any_judged(comparison));
  EXPECT_LT(comparison.detectable, 0.1);
}

TEST(Compare, TheSlowedOperationOfReplayedRecordingsIsNamedFirst) {
  const Comparison comparison = compare_runs(stored_runs("a"), stored_runs("slow"));
  const OpChange& first = comparison.ops.front();
  EXPECT_EQ(first.key.name, "linear_gelu");
  EXPECT_EQ(first.verdict, OpChange::Verdict::slower);
  EXPECT_NEAR(first.change, 0.10, 0.03);
  EXPECT_NE(first.cause.find("GFLOP/s"), std::string::npos) << first.cause;
}

TEST(Compare, NothingInCommonIsAnError) {
  Machine machine(1);
  std::vector<RunSamples> a = {machine.run()}, b = {machine.run()}, empty(1);
  EXPECT_THROW(compare_runs(a, empty), Error);
  for (auto& [key, samples] : a[0].ops) b[0].ops.erase(key);
  b[0].ops.emplace(OpKey{"other", "linear", Phase::decode}, a[0].ops.begin()->second);
  EXPECT_THROW(compare_runs(a, b), Error);
}

}  // namespace
}  // namespace smallmind
