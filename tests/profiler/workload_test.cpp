// Workloads: what a part counts and keeps apart, and that each workload has the parts of the reference
// figures.
#include "profiler/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/error.h"
#include "profiler/recording.h"
#include "profiler/report/render.h"
#include "profiler/workload_report.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

using namespace std::chrono_literals;

TEST(WorkloadRunTest, KeepsTheColdPassOutOfTheWarmFigures) {
  ThreadPool pool(1);
  WorkloadRun run(pool, {.seconds = 0, .least_repeats = 7});
  std::vector<int> calls_seen;
  PartSpec spec{.name = "nap, slow first", .unit = "ms", .calls = 3, .item = "nap"};
  spec.best_then = 10;
  spec.pass = [&](int calls) {
    std::this_thread::sleep_for(calls_seen.empty() ? 60ms : 6ms);
    calls_seen.push_back(calls);
  };
  run.part(spec);
  EXPECT_EQ(calls_seen, (std::vector<int>{1, 3, 3, 3, 3, 3, 3, 3}));
  ASSERT_EQ(run.parts().size(), 1u);
  const PartResult& part = run.parts().front();
  EXPECT_EQ(part.part, "nap");
  EXPECT_EQ(part.mode, "slow first");
  EXPECT_EQ(part.repeats, 7);
  EXPECT_EQ(part.items, 3);
  EXPECT_GE(part.cold, 60);
  EXPECT_GE(part.median, 2);  // 6 ms for 3 calls
  EXPECT_LT(part.median, 60);
  EXPECT_LE(part.interval.low, part.median);
  EXPECT_GE(part.interval.high, part.median);
  EXPECT_DOUBLE_EQ(part.ratio(), 10 / part.median) << "less time is better";
}

TEST(WorkloadRunTest, RatesGrowWithSpeed) {
  PartResult part;
  part.median = 30;
  part.best_then = 10;
  EXPECT_DOUBLE_EQ(part.ratio(), 3);
  part.best_then = 0;
  EXPECT_EQ(part.ratio(), 0);
}

TEST(WorkloadRunTest, StopsBetweenRepeats) {
  ThreadPool pool(1);
  int passes = 0;
  WorkloadRun run(pool, {.seconds = 1000, .stop = [&] { return passes >= 4; }});
  PartSpec spec{.name = "count", .unit = "ns"};
  spec.pass = [&](int) { ++passes; };
  run.part(spec);
  run.part(spec);
  EXPECT_EQ(passes, 4);
  ASSERT_EQ(run.parts().size(), 1u);
  EXPECT_EQ(run.parts().front().repeats, 3);
}

// Names of workloads and the parts that the reference figures ask for.
const std::map<std::string, std::set<std::string>> kExpected = {
    {"standard", {"small, KV cache", "small, full recompute"}},
    {"deep", {"matmul 128", "matmul 256", "matmul 512", "medium, KV cache", "medium, full recompute"}},
    {"enhanced",
     {"matmul 64", "matmul 128", "matmul 256", "matmul 512", "gelu 1K", "gelu 10K", "gelu 100K", "gelu 1M",
      "softmax 256x256", "softmax 512x512", "softmax 1024x1024", "softmax 2048x2048", "add 1M", "mul 1M",
      "broadcast 1000x1000", "small, KV cache", "small, full recompute", "medium, KV cache",
      "medium, full recompute"}},
    {"tiny-window", {"tiny, KV cache", "tiny, full recompute"}},
    {"simd",
     {"add 10M", "relu 10M", "gelu_tanh 1M", "gelu_erf 1M", "softmax 1000x1000", "softmax 1024x1024",
      "matmul 512", "dot 10M"}},
    {"training",
     {"adamw 2359296", "layer_norm 8x64x512", "layer_norm 16x64x512", "layer_norm 32x64x512",
      "small, training step of 32 x 64", "medium, training step of 16 x 128"}},
    {"memory",
     {"pool, arena", "pool, heap for comparison", "add 512x512, in place", "add 512x512, fresh result",
      "layer_norm 32x512", "matmul 128x256x128, forward and backward",
      "toy MLP 32x256-256-32, training step"}},
    {"allocation",
     {"small, session", "small, prompt of 10 tokens", "small, decoded token", "small, training set-up",
      "small, training step of 32 x 64", "medium, session", "medium, prompt of 10 tokens",
      "medium, decoded token", "medium, training set-up", "medium, training step of 16 x 128"}}};

std::string full_name(const PartResult& part) {
  return part.mode.empty() ? part.part : part.part + ", " + part.mode;
}

class EachWorkload : public testing::TestWithParam<const char*> {};

TEST_P(EachWorkload, MeasuresAllPartsAndRecordsThem) {
  const TempFolder folder;
  const auto path = folder.path() / "run.smprof";
  ThreadPool pool(2);
  const Workload& w = workload(GetParam());
  WorkloadOptions options{.seconds = 0, .least_repeats = 1};
  options.heap_is_counted = true;
  const WorkloadReport report = record_workload(w.name, w.what, w.run, pool, options, path, "{}", nullptr);
  std::set<std::string> names;
  for (const PartResult& part : report.parts) {
    names.insert(full_name(part));
    EXPECT_EQ(part.repeats, 1);
    EXPECT_GT(part.cold, 0) << full_name(part);
    EXPECT_GT(part.median, 0) << full_name(part);
    if (part.item == "token" || part.item == "step") {
      EXPECT_EQ(part.heap_allocations, 0) << full_name(part) << ": warm work takes nothing from the heap";
    }
  }
  EXPECT_EQ(names, kExpected.at(w.name));

  // The recording tells the same parts apart, and the document has what was promised.
  const Recording recording = Recording::open(path);
  std::map<std::string, std::set<int>> passes;
  for (const RecordedPass& pass : recording.passes()) passes[pass.name].insert(pass.repeat);
  for (const std::string& name : names) EXPECT_EQ(passes[name], (std::set<int>{0, 1})) << name;
  const auto document = nlohmann::json::parse(json_report(make_report(recording)));
  EXPECT_EQ(document["workload"], w.name);
  EXPECT_EQ(document["threads"], 2);
  EXPECT_GT(document["wall_seconds"].get<double>(), 0);
  EXPECT_TRUE(document["memory"].is_object());
  EXPECT_TRUE(document["environment"].is_object());
  EXPECT_EQ(document["workload_details"]["parts"].size(), names.size());
  ASSERT_FALSE(document["zones"].empty());
  for (const auto& zone : document["zones"])
    for (const char* key : {"name", "phase", "calls", "exclusive_ms", "inclusive_ms", "gflops", "gbps",
                            "roofline_share", "heap_allocations", "heap_bytes"})
      EXPECT_TRUE(zone.contains(key)) << key;
}

INSTANTIATE_TEST_SUITE_P(Workloads, EachWorkload,
                         testing::Values("standard", "deep", "enhanced", "tiny-window", "simd", "training",
                                         "memory", "allocation"),
                         [](const auto& one) {
                           std::string name = one.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(WorkloadListTest, HasEveryWorkloadOnce) {
  std::set<std::string> names;
  for (const Workload& w : workloads()) EXPECT_TRUE(names.insert(w.name).second);
  std::set<std::string> expected;
  for (const auto& [name, parts] : kExpected) expected.insert(name);
  EXPECT_EQ(names, expected);
  EXPECT_THROW(workload("nonesuch"), Error);
}

}  // namespace
}  // namespace smallmind
