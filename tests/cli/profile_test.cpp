// `smallmind profile`, `bench --all` and --profile as a user sees them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "profiler/op_table.h"
#include "tests/cli/run_program.h"

namespace smallmind {
namespace {

class Profile : public testing::Test {
 protected:
  std::string path(const char* name) const { return "'" + (folder.path() / name).string() + "'"; }
  Recording recording(const char* name) const { return Recording::open(folder.path() / name); }

  TempFolder folder;
};

TEST_F(Profile, AWorkloadAsJsonIsOneDocument) {
  const ProgramResult result =
      run_program("profile standard --repeats 2 --json --quiet --threads 1 --out " + path("run.smprof"));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const nlohmann::json document = parse_json(result.out, "output");
  EXPECT_EQ(document["workload"], "standard");
  EXPECT_EQ(document["threads"], 1);
  const auto& parts = document["workload_details"]["parts"];
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0]["mode"], "KV cache");
  EXPECT_EQ(parts[1]["mode"], "full recompute");
  EXPECT_EQ(parts[0]["best_then"], 98.3);
  EXPECT_NEAR(parts[0]["ratio"].get<double>(), parts[0]["median"].get<double>() / 98.3, 1e-6);
  if (parts[0].contains("heap_allocations")) {
    EXPECT_EQ(parts[0]["heap_allocations"], 0);
  }
  for (const char* key : {"cpu", "l1d_bytes", "isa", "governor", "cgroup_memory_limit", "system", "host_load",
                          "compiler", "flags", "commit", "time", "threads"})
    EXPECT_TRUE(document["environment"].contains(key)) << key;
  double share = -1;
  for (const auto& zone : document["zones"])
    if (zone["name"] == "linear" && zone["roofline_share"].is_number()) share = zone["roofline_share"];
  EXPECT_GT(share, 0);
  EXPECT_TRUE(recording("run.smprof").complete());
}

TEST_F(Profile, AModelWithGivenPromptAndTokens) {
  const ProgramResult result = run_program("profile tiny --prompt 5 --tokens 40 --repeats 3 --quiet");
  ASSERT_EQ(result.status, 0) << result.err;
  for (const char* expected : {"tiny", "KV cache", "full recompute", "tokens/s", "first token", "attention"})
    EXPECT_NE(result.out.find(expected), std::string::npos) << expected << "\n" << result.out;
  EXPECT_EQ(run_program("profile tiny --prompt 33").status, 1);
  EXPECT_EQ(run_program("profile").status, 1);
  EXPECT_EQ(run_program("profile nonesuch").status, 2);
}

TEST_F(Profile, TrainingStepsOfAPresetAndOfARun) {
  const ProgramResult preset = run_program("profile train tiny --batch 2 --repeats 3 --quiet");
  ASSERT_EQ(preset.status, 0) << preset.err;
  for (const char* expected : {"training step", "backward", "adamw"})
    EXPECT_NE(preset.out.find(expected), std::string::npos) << expected << "\n" << preset.out;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "The number " + std::to_string(i * i % 101) + " is in this line.\n";
  folder.write("data.txt", text);
  ASSERT_EQ(run_program(
                "train " + path("data.txt") + " --out " + path("run") +
                " --tokenizer char --layers 1 --heads 2 --width 16 --context 16 --batch 2 --steps 3 --quiet")
                .status,
            0);
  const std::string log = read_whole_file(folder.path() / "run" / "log.jsonl");
  const ProgramResult run = run_program("profile train " + path("run") + " --repeats 3 --quiet");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_NE(run.out.find("load_batch"), std::string::npos) << run.out;
  EXPECT_EQ(read_whole_file(folder.path() / "run" / "log.jsonl"), log) << "nothing is written to the run";
}

TEST_F(Profile, AnyCommandIsRecorded) {
  folder.write("text.txt", "some words, and some words more");
  const ProgramResult result = run_program("--profile " + path("bench.smprof") +
                                           " bench --preset tiny --seconds 0.01 --train-batch 2 --threads 2");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("linear"), std::string::npos) << "hot paths go to standard error: " << result.err;
  EXPECT_EQ(result.out.find("linear"), std::string::npos);
  const Recording recorded = recording("bench.smprof");
  EXPECT_TRUE(recorded.complete());
  EXPECT_EQ(parse_json(recorded.sections().at("workload"), "workload")["name"], "bench");
  const OpTable table = make_op_table(recorded);
  EXPECT_NE(table.find("norm_linear", Phase::decode), nullptr);
  EXPECT_NE(table.find("linear", Phase::backward), nullptr);
  const ProgramResult quiet = run_program(
      "bench --preset tiny --seconds 0.01 --train-batch 0 --quiet --json --profile " + path("q.smprof"));
  EXPECT_EQ(quiet.status, 0);
  EXPECT_EQ(quiet.err, "");
  EXPECT_TRUE(recording("q.smprof").complete());
  const ProgramResult none = run_program("bench --preset tiny --profile --json");
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.err.find("--json"), std::string::npos) << "an option is no file: " << none.err;
}

// Runs what follows, and asks it to end a second after it has made `file`.
std::string ended_after(const std::string& file) {
  return "sh -c '\"$@\" & pid=$!; while [ ! -e " + file +
         " ]; do sleep 0.05; done; sleep 1; kill -TERM $pid; wait $pid' sh";
}

TEST_F(Profile, AnInterruptedProfileShowsWhatItHas) {
  const ProgramResult result = run_program(
      "profile small --seconds 1000 --threads 2 --json --quiet --no-recompute --out " + path("run.smprof"),
      ended_after(folder.path() / "run.smprof"));
  ASSERT_EQ(result.status, 0) << result.err;
  const nlohmann::json document = parse_json(result.out, "output");
  EXPECT_EQ(document["workload_details"]["stopped"], true);
  EXPECT_FALSE(document["zones"].empty());
  EXPECT_TRUE(recording("run.smprof").complete());
}

// bench does not look at signals: the program ends at once, but the recording is whole.
TEST_F(Profile, AnInterruptedCommandLeavesAWholeRecording) {
  const ProgramResult result =
      run_program("bench --preset small --seconds 1000 --profile " + path("run.smprof"),
                  ended_after(folder.path() / "run.smprof"));
  EXPECT_EQ(result.status, 143) << result.err;
  EXPECT_NE(result.err.find("outside of zones"), std::string::npos) << result.err;
  EXPECT_TRUE(recording("run.smprof").complete());
}

// train looks at signals: it saves and ends as ever.
TEST_F(Profile, AnInterruptedTrainingSavesAndIsRecorded) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "The number " + std::to_string(i * i % 101) + " is in this line.\n";
  folder.write("data.txt", text);
  const ProgramResult result = run_program("train " + path("data.txt") + " --out " + path("run") +
                                               " --tokenizer char --layers 1 --heads 2 --width 16 --context "
                                               "16 --batch 2 --steps 10000000 --profile " +
                                               path("run.smprof"),
                                           ended_after(folder.path() / "run" / "log.jsonl"));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("stopped after"), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("outside of zones"), std::string::npos) << result.err;
  EXPECT_TRUE(recording("run.smprof").complete());
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "run" / "latest" / "model.safetensors"));
}

TEST_F(Profile, AllBenchmarksMakeOneReportAndAHistory) {
  const ProgramResult first = run_program("bench --all --repeats 1 --json --quiet --out " + path("runs"));
  ASSERT_EQ(first.status, 0) << first.err;
  const nlohmann::json document = parse_json(first.out, "output");
  ASSERT_EQ(document["workloads"].size(), 8u);
  EXPECT_TRUE(document["environment"].contains("cpu"));
  for (const auto& trend : document["history"]) EXPECT_EQ(trend["verdict"], "first");
  const ProgramResult history = run_program("bench --history --out " + path("runs"));
  ASSERT_EQ(history.status, 0) << history.err;
  EXPECT_NE(history.out.find("1 runs"), std::string::npos) << history.out;
  EXPECT_NE(history.out.find("medium, KV cache"), std::string::npos) << history.out;
  const auto run = *std::filesystem::directory_iterator(folder.path() / "runs");
  EXPECT_NE(read_whole_file(run.path() / "report.md").find("## training"), std::string::npos);
  EXPECT_TRUE(Recording::open(run.path() / "simd.smprof").complete());
  EXPECT_EQ(run_program("bench --history --out " + path("nothing")).status, 2);
}

}  // namespace
}  // namespace smallmind
