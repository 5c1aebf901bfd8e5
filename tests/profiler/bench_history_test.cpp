// The history of benchmarks: reading runs back, and telling a change from spread.
#include "profiler/bench_history.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

constexpr const char* kHere = R"({"cpu": "a CPU", "isa": "avx2", "threads": 2})";

BenchRun make_run(const std::string& name, double rate, double seconds, double deviation = 1) {
  PartResult text, step;
  text.part = "small";
  text.mode = "KV cache";
  text.unit = "tokens/s";
  text.median = rate;
  text.deviation = deviation;
  step.part = "step";
  step.unit = "ms";
  step.is_time = true;
  step.median = seconds;
  step.deviation = deviation / 100;
  WorkloadReport workload{.name = "standard", .what = "texts", .parts = {text, step}};
  return {.name = name, .environment_json = kHere, .workloads = {workload}};
}

TEST(BenchTrendsTest, JudgeByTheSpreadOfTheRuns) {
  std::vector<BenchRun> runs = {make_run("1", 100, 1.00), make_run("2", 104, 1.04), make_run("3", 96, 0.96),
                                make_run("4", 107, 1.07)};
  std::vector<Trend> trends = bench_trends(runs);
  ASSERT_EQ(trends.size(), 2u);
  EXPECT_EQ(trends[0].former, 3);
  EXPECT_DOUBLE_EQ(trends[0].before, 100);
  EXPECT_DOUBLE_EQ(trends[0].change, 0.07);
  EXPECT_EQ(trends[0].verdict, TrendVerdict::steady) << "7 % among runs that differ by 4 % is nothing";
  runs.push_back(make_run("5", 150, 1.5));
  trends = bench_trends(runs);
  EXPECT_EQ(trends[0].verdict, TrendVerdict::better);
  EXPECT_EQ(trends[1].verdict, TrendVerdict::worse) << "more milliseconds";
  const std::string text = trends_text(trends);
  EXPECT_NE(text.find("better"), std::string::npos);
  EXPECT_NE(text.find("worse"), std::string::npos);
}

TEST(BenchTrendsTest, LeavesOutOtherMachinesAndDisturbedRuns) {
  std::vector<BenchRun> runs = {make_run("1", 100, 1), make_run("2", 10, 1), make_run("3", 101, 1)};
  runs[1].environment_json = R"({"cpu": "another", "isa": "avx2", "threads": 2})";
  EXPECT_EQ(bench_trends(runs)[0].former, 1);
  runs[0].workloads[0].disturbed = true;
  const std::vector<Trend> trends = bench_trends(runs);
  EXPECT_EQ(trends[0].former, 0);
  EXPECT_EQ(trends[0].verdict, TrendVerdict::first);
  EXPECT_TRUE(bench_trends({}).empty());
}

TEST(BenchRunsTest, AreWrittenAndReadBack) {
  const TempFolder folder;
  const auto first = make_run_directory(folder.path() / "runs"),
             second = make_run_directory(folder.path() / "runs");
  EXPECT_NE(first, second);
  const BenchRun run = make_run(first.filename().string(), 100, 1);
  write_bench_run(first, run, bench_trends({run}));
  folder.write("runs/zzz/report.json", "{\"workloads\": 1}");
  const std::vector<BenchRun> runs = read_bench_runs(folder.path() / "runs");
  ASSERT_EQ(runs.size(), 1u) << "what is no report is left out";
  EXPECT_EQ(runs[0].name, run.name);
  EXPECT_EQ(bench_run_json(runs[0], {}), bench_run_json(run, {}));
  EXPECT_TRUE(read_bench_runs(folder.path() / "nonesuch").empty());
  EXPECT_THROW(parse_bench_run("x", "[]", "x"), Error);
}

}  // namespace
}  // namespace smallmind
