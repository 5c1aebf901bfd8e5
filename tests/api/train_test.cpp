// Training through the library: it learns, stops when told, resumes, and what it wrote can be loaded.
#include "smallmind/train.h"

#include <gtest/gtest.h>

#include <fstream>

#include "smallmind/language_model.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

class TrainApiTest : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream file(directory_ / "text.txt");
    for (int i = 0; i < 300; ++i) file << "the cat sat on the mat, " << i % 10 << " times.\n";
    options_.data = directory_ / "text.txt";
    options_.out = directory_ / "run";
    options_.tokenizer = "char";
    options_.layers = 1;
    options_.heads = 2;
    options_.width = 32;
    options_.context = 32;
    options_.batch = 4;
    options_.steps = 60;
    options_.threads = 2;
  }

  TempFolder folder_;
  const std::filesystem::path& directory_ = folder_.path();
  TrainOptions options_;
};

TEST_F(TrainApiTest, LearnsAndWritesWhatCanBeLoaded) {
  double first = 0;
  const TrainReport report = train(options_, [&](const TrainStatus& s) {
    if (s.step == 1) first = s.loss;
    return true;
  });
  EXPECT_EQ(report.steps, 60);
  EXPECT_FALSE(report.stopped);
  EXPECT_LT(report.train_loss, 0.9 * first);
  ASSERT_TRUE(report.val_loss.has_value());
  EXPECT_GT(report.tokens_per_second, 0);
  LanguageModel model = LanguageModel::load(options_.out);
  EXPECT_EQ(model.info().width, 32);
  EXPECT_FALSE(model.generate("the ", {.max_tokens = 20, .seed = 1}).text.empty());
}

TEST_F(TrainApiTest, StopsSavesAndGoesOnToTheSameWeights) {
  const TrainReport whole = train(options_);
  TrainOptions parts = options_;
  parts.out = directory_ / "parts";
  const TrainReport stopped = train(parts, [](const TrainStatus& s) { return s.step < 25; });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.steps, 25);
  parts.resume = true;
  parts.threads = 1;
  const TrainReport resumed = train(parts);
  EXPECT_EQ(resumed.steps, 60);
  EXPECT_EQ(resumed.train_loss, whole.train_loss);
  EXPECT_EQ(resumed.val_loss, whole.val_loss);
}

TEST_F(TrainApiTest, WhatIsWrongIsSaid) {
  options_.steps = 2;
  train(options_);
  EXPECT_THROW(train(options_), Error) << "the directory holds a run";
  options_.replace = true;
  EXPECT_EQ(train(options_).steps, 2);
  options_.data = directory_ / "nowhere.txt";
  EXPECT_THROW(train(options_), Error);
  options_.resume = true;
  EXPECT_THROW(train(options_), Error) << "resume and replace";
}

}  // namespace
}  // namespace smallmind
