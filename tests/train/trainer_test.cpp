// Runs: resuming is the same as not stopping, bad steps are survived, and stopping, logging and refusing
// work.
#include "train/trainer.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "tests/train/train_fixture.h"

namespace smallmind {
namespace {

class TrainerTest : public TrainTest {
 protected:
  TrainerTest() { former_ = set_log_sink(&sink_); }
  ~TrainerTest() override { set_log_sink(former_); }

  std::vector<nlohmann::json> log_lines(const std::string& name) const {
    std::ifstream in(folder.path() / name / "log.jsonl");
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(parse_json(line, "log"));
    return lines;
  }

  std::string warnings_;

 private:
  LogSink sink_{[](void* to, LogLevel, std::string_view text) noexcept {
                  static_cast<std::string*>(to)->append(text).append("\n");
                },
                &warnings_, LogLevel::info};
  const LogSink* former_;
};

TEST_F(TrainerTest, LossFallsAndTheDirectoryIsComplete) {
  const Run run = train("run", small_config("gpt2", *tokenizer), settings(40), 2);
  EXPECT_EQ(run.result.steps, 40);
  EXPECT_FALSE(run.result.stopped);
  EXPECT_LT(run.losses.back(), run.losses.front() - 0.5);
  ASSERT_TRUE(run.result.val_loss.has_value());
  EXPECT_LT(*run.result.val_loss, run.losses.front() - 0.5);
  EXPECT_GT(run.result.tokens_per_second, 0);
  EXPECT_GT(run.result.flops_per_token, 6.0 * 10'000);
  EXPECT_GT(run.result.peak_bytes, 1 << 20);
  const auto best = folder.path() / "run" / "best";
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "generation_config.json",
                           "trainer_state.json", "optimizer.safetensors"})
    EXPECT_TRUE(std::filesystem::is_regular_file(best / name)) << name;
  EXPECT_EQ(read_trainer_state(folder.path() / "run" / "latest").step, 40);
  std::size_t steps = 0, evaluations = 0;
  for (const auto& line : log_lines("run")) (line.contains("val_loss") ? evaluations : steps)++;
  EXPECT_EQ(steps, 40u);
  EXPECT_EQ(evaluations, 8u);
}

TEST_F(TrainerTest, ResumingIsTheSameAsNotStopping) {
  for (const char* arch : {"gpt2", "llama"}) {
    const std::string name = arch;
    const ModelConfig config = small_config(arch, *tokenizer, 0.2f);
    const Run whole = train(name, config, settings(20), 1);
    for (const std::int64_t k : {1, 7, 13}) {
      const std::string parts = name + std::to_string(k);
      std::int64_t done = 0;
      TrainEvents stop_at_k;
      stop_at_k.on_step = [&](const TrainProgress& p) { done = p.step; };
      stop_at_k.stop = [&] { return done >= k; };
      const Run first = train(parts, config, settings(20), 2, false, stop_at_k);
      EXPECT_TRUE(first.result.stopped);
      EXPECT_EQ(first.result.steps, k);
      const Run second = train(parts, config, settings(20), 3, true);
      std::vector<double> losses = first.losses;
      losses.insert(losses.end(), second.losses.begin(), second.losses.end());
      EXPECT_EQ(losses, whole.losses) << arch << ", stopped at " << k;
      EXPECT_EQ(second.result.val_loss, whole.result.val_loss);
      EXPECT_TRUE(same_bits(second.model->values(), whole.model->values())) << arch << ", stopped at " << k;
      EXPECT_EQ(read_whole_file(folder.path() / parts / "step-000020/optimizer.safetensors"),
                read_whole_file(folder.path() / name / "step-000020/optimizer.safetensors"));
    }
  }
}

// What the test above would miss if it could not see: another seed, another place in the data, lost moments.
TEST_F(TrainerTest, AWrongStateIsNoticed) {
  const ModelConfig config = small_config("gpt2", *tokenizer, 0.2f);
  const Run whole = train("whole", config, settings(10), 1, false, {}, {.evaluate = 0, .save = 5});
  const DataLoader loader(*tokens, config.context);
  ThreadPool pool(1);
  for (const char* damage : {"seed", "step", "moments", "none"}) {
    const auto model = small_model(config);
    RunDirectory directory(folder.path() / "whole");
    const auto checkpoint = directory.checkpoint_path(5);
    const TrainerState state = read_trainer_state(checkpoint);
    TrainSettings s = settings(10);
    if (damage == std::string("seed")) s.seed = 1;
    TrainingStep step(*model, s, pool, measure_pass(*model, pool, s.batch, true));
    load_checkpoint(checkpoint, *model, step.optimizer());
    if (damage == std::string("moments")) step.optimizer().second_moments()[3] += 1.0f;
    const std::int64_t offset = damage == std::string("step") ? 1 : 0;
    for (std::int64_t i = state.step; i < 10; ++i) {
      step.gradients(loader, i + offset);
      step.update(s.schedule.rate(i));
    }
    EXPECT_EQ(same_bits(model->values(), whole.model->values()), damage == std::string("none")) << damage;
  }
}

TEST_F(TrainerTest, ABadStepIsSkipped) {
  const ModelConfig config = small_config("gpt2", *tokenizer);
  const auto model = small_model(config);
  ThreadPool pool(1);
  RunDirectory directory(folder.path() / "run");
  const DataLoader loader(*tokens, config.context);
  float* const victim = &model->values()[3];
  float good = 0;
  TrainEvents events;
  events.on_step = [&](const TrainProgress& p) {
    if (p.step == 4) good = std::exchange(*victim, INFINITY);  // step 5 sees it
    if (p.step == 5) *victim = good;
  };
  Trainer trainer(*model, *tokenizer, loader, pool, directory, start(*model, settings(10)),
                  {.evaluate = 0, .save = 0}, events);
  const TrainResult result = trainer.run();
  EXPECT_EQ(result.steps, 10);
  EXPECT_TRUE(std::isfinite(*result.val_loss));
  const TrainerState state = read_trainer_state(folder.path() / "run/latest");
  EXPECT_EQ(state.skipped, 1);
  EXPECT_EQ(state.updates, 9);
  EXPECT_TRUE(log_lines("run")[4]["skipped"].get<bool>());
  EXPECT_NE(warnings_.find("step 5"), std::string::npos);
}

TEST_F(TrainerTest, ManyBadStepsGoBackToTheCheckpoint) {
  const ModelConfig config = small_config("gpt2", *tokenizer);
  const auto model = small_model(config);
  ThreadPool pool(1);
  RunDirectory directory(folder.path() / "run");
  const DataLoader loader(*tokens, config.context);
  bool poisoned = false;
  TrainEvents events;
  events.on_step = [&](const TrainProgress& p) {
    if (p.step == 7 && !std::exchange(poisoned, true)) model->values()[3] = std::nanf("");
  };
  Trainer trainer(*model, *tokenizer, loader, pool, directory, start(*model, settings(12)),
                  {.evaluate = 0, .save = 5}, events);
  EXPECT_EQ(trainer.run().steps, 12);
  const TrainerState state = read_trainer_state(folder.path() / "run/latest");
  EXPECT_EQ(state.rollbacks, 1);
  EXPECT_EQ(state.lr_scale, 0.5);
  EXPECT_TRUE(state.val_loss && std::isfinite(*state.val_loss));
  std::int64_t expected = 0;
  for (const auto& line : log_lines("run"))
    if (line.contains("loss")) {
      EXPECT_EQ(line["step"].get<std::int64_t>(), ++expected);
      EXPECT_TRUE(line["loss"].is_number());
    }
}

TEST_F(TrainerTest, ARunThatStaysBadEndsAsDiverged) {
  const ModelConfig config = small_config("gpt2", *tokenizer);
  for (const std::int64_t save : {0, 2}) {
    const auto model = small_model(config);
    ThreadPool pool(1);
    const std::string name = "run" + std::to_string(save);
    RunDirectory directory(folder.path() / name);
    const DataLoader loader(*tokens, config.context);
    TrainEvents events;
    events.on_step = [&](const TrainProgress& p) {
      if (p.step >= 5) model->values()[3] = std::nanf("");
    };
    Trainer trainer(*model, *tokenizer, loader, pool, directory, start(*model, settings(30)),
                    {.evaluate = 0, .save = save}, events);
    try {
      trainer.run();
      ADD_FAILURE() << "training went on";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::diverged);
    }
    if (save == 0) continue;
    const auto best = small_model(config);
    AdamW optimizer(*best, {});
    load_checkpoint(folder.path() / name / "best", *best, optimizer);
    for (const float value : best->values()) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST_F(TrainerTest, AnOutlierIsSkippedWhereAsked) {
  SpikeWindow window;
  for (int i = 0; i < 127; ++i) window.add(i % 2);
  EXPECT_EQ(window.z_score(1000), 0);  // not full yet
  window.add(1);
  EXPECT_NEAR(window.z_score(1.5), 2.0, 1e-12);
  EXPECT_NEAR(window.z_score(0.5), 0.0, 1e-12);
  TrainSettings s = settings(140);
  s.batch = 1;
  s.accumulate = 1;
  s.skip_norm_z = 0.01;  // so low that about half of the last steps are outliers
  const Run run = train("run", small_config("gpt2", *tokenizer), s, 1, false, {}, {.evaluate = 0, .save = 0});
  const TrainerState state = read_trainer_state(folder.path() / "run/latest");
  EXPECT_GT(state.skipped, 0);
  EXPECT_LE(state.skipped, 12);
  EXPECT_EQ(state.updates, 140 - state.skipped);
  EXPECT_EQ(state.norm_window.count(), 140);
}

TEST_F(TrainerTest, AFullDiskForTheLogDoesNotStopTraining) {
  std::filesystem::create_directories(folder.path() / "run");
  std::filesystem::create_symlink("/dev/full", folder.path() / "run/log.jsonl");
  EXPECT_EQ(train("run", small_config("gpt2", *tokenizer), settings(4), 1).result.steps, 4);
  EXPECT_NE(warnings_.find("training goes on"), std::string::npos);
}

TEST_F(TrainerTest, WhatDoesNotFitIsRefusedWithATable) {
  const auto model = small_model(small_config("gpt2", *tokenizer));
  ThreadPool pool(1);
  const MemoryPlan plan =
      plan_memory(*model, measure_pass(*model, pool, 3, true), measure_pass(*model, pool, 3, false));
  EXPECT_NO_THROW(plan.check(plan.total()));
  EXPECT_NO_THROW(plan.check(std::nullopt));
  try {
    plan.check(plan.total() - 1);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    for (const char* row : {"parameters", "gradients", "moments", "activations", "total"})
      EXPECT_NE(std::string(e.what()).find(row), std::string::npos) << row;
  }
  EXPECT_EQ(plan.rows[0].bytes, static_cast<std::int64_t>(model->values().size() * sizeof(float)));
}

TEST_F(TrainerTest, DifferencesAreListedByName) {
  const ModelConfig config = small_config("gpt2", *tokenizer);
  const RunIdentity saved{config, settings(10), "d", "t"};
  RunIdentity now = saved;
  now.settings.steps = 99;
  EXPECT_TRUE(differences(saved, now).empty());
  now.settings.batch = 4;
  now.settings.optimizer.beta2 = 0.9f;
  now.model.layers = 3;
  now.data_hash = "other";
  now.tokenizer_hash = "other";
  std::string all;
  for (const std::string& line : differences(saved, now)) all += line + "\n";
  EXPECT_EQ(differences(saved, now).size(), 5u) << all;
  for (const char* part : {"batch: 3", "beta2", "n_layer: 2", "data", "tokenizer"})
    EXPECT_NE(all.find(part), std::string::npos) << part;
  const TrainSettings again = settings_from_json(settings_to_json(now.settings), "here");
  EXPECT_TRUE(again == now.settings);
}

TEST_F(TrainerTest, EvaluationDoesNotDependOnTheBatch) {
  const ModelConfig config = small_config("llama", *tokenizer);
  const auto model = small_model(config);
  const DataLoader loader(*tokens, config.context);
  ThreadPool pool(2);
  std::vector<double> losses;
  for (const std::int64_t batch : {1, 3, 50}) {
    Evaluator evaluator(*model, pool, batch, measure_pass(*model, pool, batch, false));
    losses.push_back(evaluator.loss(loader).value());
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-6);
  EXPECT_NEAR(losses[0], losses[2], 1e-6);
  EXPECT_NEAR(losses[0], std::log(static_cast<double>(config.vocab)), 0.2);  // fresh weights know nothing
  Evaluator evaluator(*model, pool, 1, measure_pass(*model, pool, 1, false));
  EXPECT_FALSE(evaluator.loss(loader, [] { return true; }).has_value());
}

}  // namespace
}  // namespace smallmind
