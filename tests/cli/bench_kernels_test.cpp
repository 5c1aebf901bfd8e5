// smallmind bench --kernels: the JSON's contract and the command line.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"

namespace smallmind {
namespace {

using nlohmann::json;

TEST(BenchKernels, JsonHasTheKeys) {
  const ProgramResult result =
      run_program("bench --kernels --group attention --no-rivals --seconds 0.001 --threads 1 --json");
  ASSERT_EQ(result.status, 0) << result.err;
  const json document = json::parse(result.out);
  ASSERT_EQ(document.at("results").size(), 3u);
  for (const json& row : document.at("results")) {
    EXPECT_EQ(row.at("kernel"), "attention");
    EXPECT_TRUE(row.at("form").is_string());
    EXPECT_EQ(row.at("threads"), 1);
    EXPECT_GT(row.at("value").get<double>(), 0);
    EXPECT_TRUE(row.at("rivals").is_object());
    EXPECT_TRUE(row.at("target").at("passed").is_boolean());
  }
  const json& forward = document.at("results")[0];
  EXPECT_EQ(forward.at("unit"), "GFLOP/s");
  EXPECT_GT(forward.at("roofline_share").get<double>(), 0);
  EXPECT_TRUE(document.at("results")[2].at("roofline_share").is_null()) << "memory has no roof";
  EXPECT_EQ(document.at("environment").at("rivals").at("onednn"), "skipped: not asked for");
  EXPECT_FALSE(document.at("environment").at("isa").get<std::string>().empty());
  EXPECT_NE(result.err.find("attention"), std::string::npos) << "rows appear as they are measured";
}

TEST(BenchKernels, RefusesWhatHasNoMeaning) {
  EXPECT_EQ(run_program("bench --kernels --group nonsense").status, 1);
  EXPECT_EQ(run_program("bench --group rows").status, 1);
  EXPECT_EQ(run_program("bench --kernels --preset tiny").status, 1);
}

}  // namespace
}  // namespace smallmind
