// Reports of workloads as JSON and as tables.
#include "profiler/workload_report.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace smallmind {
namespace {

WorkloadReport example() {
  WorkloadReport report{
      .name = "standard", .what = "texts", .threads = 2, .seed = 9, .seconds = 3.5, .parts = {}};
  report.foreign_share = 0.01;
  PartResult text, product;
  text.part = "small";
  text.mode = "KV cache";
  text.unit = "tokens/s";
  text.cold = 10000;
  text.median = 20000;
  text.deviation = 100;
  text.interval = {19900, 20100};
  text.repeats = 12;
  text.best_then = 98.3;
  text.item = "token";
  text.items = 150;
  text.heap_allocations = 0;
  text.heap_bytes = 0;
  text.heap_bytes_then = 0.57e6;
  text.arena_bytes = 12345;
  text.latency = TokenLatency{.first_cold = 0.5, .first = 0.2, .p50 = 0.05, .p95 = 0.06, .best_then = 1.04};
  product.part = "matmul 512";
  product.unit = "ms";
  product.is_time = true;
  product.cold = 2;
  product.median = 1.25;
  report.parts = {text, product};
  return report;
}

TEST(WorkloadJsonTest, ComesBackAsItWas) {
  const WorkloadReport report = example();
  const std::string json = workload_json(report);
  const WorkloadReport back = parse_workload(json, "example");
  EXPECT_EQ(workload_json(back), json);
  ASSERT_EQ(back.parts.size(), 2u);
  EXPECT_EQ(back.parts[0].latency->p95, 0.06);
  EXPECT_EQ(back.parts[0].heap_allocations, 0);
  EXPECT_FALSE(back.parts[1].heap_allocations.has_value());
  EXPECT_FALSE(back.parts[1].latency.has_value());
  EXPECT_TRUE(back.parts[1].is_time);
}

TEST(WorkloadJsonTest, RefusesWhatIsNoReport) {
  for (const char* text : {"{}", "[]", "{\"name\": 1}", "not json", "{\"name\":\"a\",\"what\":\"b\"}"})
    EXPECT_THROW(parse_workload(text, "file"), Error) << text;
}

TEST(WorkloadTablesTest, ShowTheFiguresTheBestThenAndTheRatio) {
  const std::string text = workload_text(example());
  for (const char* expected : {"standard: texts", "2 threads", "small", "KV cache", "20000", "98.30",
                               "203.5x", "0.57", "5.20x", "matmul 512"})
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  const std::string markdown = workload_markdown(example());
  EXPECT_NE(markdown.find("## standard"), std::string::npos);
  EXPECT_NE(markdown.find("| part | mode |"), std::string::npos) << markdown;
  WorkloadReport disturbed = example();
  disturbed.disturbed = true;
  EXPECT_NE(workload_text(disturbed).find("disturbed"), std::string::npos);
}

}  // namespace
}  // namespace smallmind
