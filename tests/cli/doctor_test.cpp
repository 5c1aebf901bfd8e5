// smallmind doctor: the JSON's keys, the cache and one thread under taskset.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/cgroup.h"
#include "tests/cli/run_program.h"

namespace smallmind {
namespace {

using nlohmann::json;

TEST(Doctor, JsonHasTheKeysAndIsCached) {
  const TempFolder cache;
  const std::string before = "XDG_CACHE_HOME='" + cache.path().string() + "'";
  const ProgramResult first = run_program("doctor --json", before);
  ASSERT_EQ(first.status, 0) << first.err;
  const json document = json::parse(first.out);
  EXPECT_EQ(document.at("threads").get<int>(), available_threads());
  EXPECT_GT(document.at("fma_gflops").get<double>(), 0.1);
  EXPECT_GT(document.at("read_gbps").get<double>(), 0.1);
  EXPECT_FALSE(document.at("isa").get<std::string>().empty());
  EXPECT_EQ(document.at("roofline").at("bandwidth").back().at("level"), "memory");

  const ProgramResult text = run_program("doctor", before);
  EXPECT_EQ(text.status, 0);
  EXPECT_NE(text.out.find("FMA peak"), std::string::npos) << text.out;
  if (document.at("roofline").at("disturbed").get<bool>())
    GTEST_SKIP() << "skipped: this machine is too busy to measure a roofline, so none was cached";
  const json second = json::parse(run_program("doctor --json", before).out);
  EXPECT_EQ(second.at("roofline"), document.at("roofline")) << "the second run must come from the cache";
}

TEST(Doctor, UsesOneThreadOnOneCpu) {
  const TempFolder cache;
  const int cpu = process_affinity().front();
  const std::string before =
      "XDG_CACHE_HOME='" + cache.path().string() + "' taskset -c " + std::to_string(cpu);
  const ProgramResult result = run_program("doctor --json", before);
  if (result.status == 127) GTEST_SKIP() << "skipped: no taskset here";
  ASSERT_EQ(result.status, 0) << result.err;
  const json document = json::parse(result.out);
  EXPECT_EQ(document.at("threads"), 1);
  EXPECT_EQ(document.at("roofline").at("compute").size(), 1u);
}

}  // namespace
}  // namespace smallmind
