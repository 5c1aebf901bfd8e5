// `smallmind train` as a user sees it.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/json.h"
#include "tests/cli/run_program.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

// A megabyte would be slow here: some lines, and a model of some thousand parameters.
class Train : public testing::Test {
 protected:
  Train() {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "The number " + std::to_string(i * i % 101) + " is in this line.\n";
    folder.write("data.txt", text);
    setenv("XDG_CACHE_HOME", (folder.path() / "cache").c_str(), 1);
  }
  ~Train() override { unsetenv("XDG_CACHE_HOME"); }

  static constexpr const char* kShape =
      " --tokenizer char --layers 1 --heads 2 --width 16 --context 16 --batch 2 --quiet";

  ProgramResult train(const std::string& run, const std::string& arguments) const {
    return run_program("train '" + (folder.path() / "data.txt").string() + "' --out '" +
                       (folder.path() / run).string() + "'" + arguments);
  }
  std::string model(const std::string& run) const {
    return read_whole_file(folder.path() / run / "latest" / "model.safetensors");
  }
  std::vector<double> losses(const std::string& run) const {
    std::vector<double> all;
    std::ifstream in(folder.path() / run / "log.jsonl");
    for (std::string line; std::getline(in, line);) {
      const nlohmann::json object = parse_json(line, "log");
      if (object.contains("loss")) all.push_back(object["loss"]);
    }
    return all;
  }

  TempFolder folder;
};

TEST_F(Train, JsonIsOneDocumentWithWhatWasPromised) {
  const ProgramResult result = train("run", std::string(kShape) + " --steps 20 --json --threads 2");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const nlohmann::json document = parse_json(result.out, "output");
  EXPECT_EQ(document["steps"], 20);
  EXPECT_LT(document["val_loss"].get<double>(), 4.0);
  EXPECT_GT(document["train_loss"].get<double>(), 0.0);
  EXPECT_GT(document["tokens_per_second"].get<double>(), 0.0);
  EXPECT_GT(document["flops_per_token"].get<double>(), 6.0 * 16 * 16 * 12);
  EXPECT_GT(document["peak_bytes"].get<std::int64_t>(), 1 << 20);
  EXPECT_EQ(document.size(), 6u);
}

TEST_F(Train, EveryKindOfModelAndScheduleTrains) {
  for (const char* arguments :
       {" --arch llama --kv-heads 1 --schedule wsd", " --tied --dropout 0.1 --schedule one-cycle --clip 0",
        " --tokenizer bpe --vocab-size 300 --schedule step --accumulate 2",
        " --preset tiny --schedule exponential",
        " --schedule constant --weight-decay 0 --beta1 0.8 --beta2 0.9 --seed 5"}) {
    const std::string base = std::string(arguments).find("bpe") == std::string::npos
                                 ? kShape
                                 : " --layers 1 --heads 2 --width 16 "
                                   "--context 16 --batch 2 --quiet";
    const ProgramResult result = train("run", base + arguments + " --steps 3 --force");
    EXPECT_EQ(result.status, 0) << arguments << '\n' << result.err;
    EXPECT_NE(result.out.find("done after 3 steps"), std::string::npos) << result.out;
  }
}

TEST_F(Train, ResumedRunsGiveTheSameBytes) {
  const std::string recipe = std::string(kShape) + " --dropout 0.2 --decay-steps 12";
  ASSERT_EQ(train("whole", recipe + " --steps 12 --threads 1").status, 0);
  ASSERT_EQ(train("parts", recipe + " --steps 5 --threads 2").status, 0);
  const ProgramResult second = train("parts", recipe + " --steps 12 --resume");
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_TRUE(model("parts") == model("whole"));
  EXPECT_EQ(losses("parts"), losses("whole"));
  EXPECT_EQ(losses("parts").size(), 12u);
}

TEST_F(Train, ADirectoryInUseIsNotOverwritten) {
  const std::string recipe = std::string(kShape) + " --steps 2";
  ASSERT_EQ(train("run", recipe).status, 0);
  const ProgramResult again = train("run", recipe);
  EXPECT_EQ(again.status, 1);
  EXPECT_NE(again.err.find("--resume"), std::string::npos);
  EXPECT_EQ(
      run_program("train /no/such/file --force --quiet --out '" + (folder.path() / "run").string() + "'")
          .status,
      2);
  EXPECT_FALSE(model("run").empty());  // a request that fails replaces nothing
  EXPECT_EQ(train("run", recipe + " --force").status, 0);
  EXPECT_EQ(train("other", recipe + " --resume").status, 2);
}

TEST_F(Train, ResumingWithOtherThingsIsRefusedWithTheDifferences) {
  ASSERT_EQ(train("run", std::string(kShape) + " --steps 2").status, 0);
  const ProgramResult settings = train("run", " --resume --quiet --steps 4 --lr 0.1 --batch 3");
  EXPECT_EQ(settings.status, 1);
  EXPECT_NE(settings.err.find("batch: 2 in the checkpoint, 3 now"), std::string::npos) << settings.err;
  EXPECT_NE(settings.err.find("lr:"), std::string::npos);
  EXPECT_EQ(train("run", " --resume --quiet --steps 4 --lr 0.1 --force").status, 0);
  std::string text = read_whole_file(folder.path() / "data.txt");
  text[5] = 'm';
  folder.write("data.txt", text);
  const ProgramResult data = train("run", " --resume --quiet --steps 6");
  EXPECT_EQ(data.status, 1);
  EXPECT_NE(data.err.find("data:"), std::string::npos) << data.err;
}

TEST_F(Train, WhatIsWrongIsNamed) {
  EXPECT_EQ(run_program("train --quiet --out '" + (folder.path() / "r").string() + "'").status, 1);
  EXPECT_EQ(run_program("train /no/such/file --quiet --out '" + (folder.path() / "r").string() + "'").status,
            2);
  folder.write("short.txt", "too short");
  const ProgramResult result =
      run_program("train '" + (folder.path() / "short.txt").string() + "' --quiet --tokenizer char --out '" +
                  (folder.path() / "r").string() + "'");
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("65 tokens"), std::string::npos) << result.err;
  EXPECT_EQ(train("r", " --schedule linear").status, 1);
  EXPECT_EQ(train("r", " --heads 3 --quiet --tokenizer char").status, 1);
  EXPECT_EQ(train("r", " --preset huge --quiet --tokenizer char").status, 1);
  const ProgramResult memory =
      train("r", " --tokenizer char --quiet --width 16384 --heads 64 --layers 64 --batch 1000 --context 128");
  EXPECT_EQ(memory.status, 2);
  for (const char* part : {"[memory]", "parameters", "gradients", "moments", "total"})
    EXPECT_NE(memory.err.find(part), std::string::npos) << memory.err;
}

TEST_F(Train, SigtermFinishesTheStepSavesAndEndsWell) {
  const std::string run = folder.path() / "run";
  const std::string line = "train '" + (folder.path() / "data.txt").string() + "' --out '" + run + "'" +
                           kShape + " --steps 100000000 --decay-steps 100";
  const std::string pid_file = folder.path() / "pid";
  ProgramResult result;
  std::thread program([&] { result = run_program(line, "echo $$ > '" + pid_file + "'; exec"); });
  const auto trains = [&] {
    return fs::exists(run + "/log.jsonl") && fs::file_size(run + "/log.jsonl") > 1000;
  };
  for (int i = 0; i < 600 && !trains(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(kill(std::stoi(read_whole_file(pid_file)), SIGTERM), 0);
  program.join();
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("stopped after"), std::string::npos) << result.out;
  EXPECT_FALSE(model("run").empty());
  const std::size_t before = losses("run").size();
  const ProgramResult more =
      train("run", " --resume --quiet --threads 1 --steps " + std::to_string(before + 3));
  EXPECT_EQ(more.status, 0) << more.err;
  EXPECT_EQ(losses("run").size(), before + 3);
}

}  // namespace
}  // namespace smallmind
