// FLOPs and bytes of the medium model, as a recording reports them, against a count by hand from the shapes:
// multiply-adds are 2, a GELU 9, a norm 8 per element; bytes are operands and results, each once, 4 a piece.
#include <gtest/gtest.h>

#include "infer/session.h"
#include "model/presets.h"
#include "profiler/op_table.h"
#include "profiler/recorder.h"
#include "tests/base/temp_folder.h"
#include "train/step.h"

namespace smallmind {
namespace {

struct Count {
  double flops = 0, bytes = 0;

  void product(double m, double n, double k, double times = 1) {
    flops += times * 2 * m * n * k;
    bytes += times * 4 * (m * k + n * k + m * n);
  }
  void elements(double n, double flops_each, double streams) {
    flops += n * flops_each;
    bytes += 4 * n * streams;
  }
};

// medium: V 512, T 128, D 256, 4 layers, 8 heads of 32, F 1024.
constexpr double kV = 512, kT = 128, kD = 256, kL = 4, kF = 1024;

// Embedding to last layer for `rows` rows in sequences of `length`. keep: GELU's input is kept for backward.
Count forward(double rows, double length, bool keep) {
  Count count;
  const double x = rows * kD, pairs = rows * (length + 1) / 2;
  count.elements(x, 1, 3);                          // embedding: token + position
  count.elements(2 * kL * x, 8, 2);                 // norms
  count.product(rows, 3 * kD, kD, kL);              // q, k, v
  count.flops += kL * 4 * kD * pairs;               // scores and mix, all heads together as wide as D
  count.bytes += kL * 4 * 4 * x;                    // q, k, v, out
  count.product(rows, kD, kD, kL);                  // projection
  count.product(rows, kF, kD, kL);                  // up
  count.product(rows, kD, kF, kL);                  // down
  count.elements(kL * rows * kF, 9, keep ? 1 : 0);  // GELU
  count.elements(2 * kL * x, 1, 1);                 // residuals
  return count;
}

Count backward(double rows, double length) {
  Count count;
  const double x = rows * kD, pairs = rows * (length + 1) / 2;
  count.elements(x, 2, 5);
  count.elements((2 * kL + 1) * x, 14, 4);
  count.product(rows, 3 * kD, kD, 2 * kL);
  count.flops += kL * 10 * kD * pairs;  // five products per pair
  count.bytes += kL * 2 * 4 * 4 * x;
  count.product(rows, kD, kD, 2 * kL);
  count.product(rows, kF, kD, 2 * kL);
  count.product(rows, kD, kF, 2 * kL);
  count.elements(kL * rows * kF, 18, 3);
  count.elements(2 * kL * x, 0, 2);
  return count;
}

class WorkCount : public testing::Test {
 protected:
  void SetUp() override {
    if (!SM_ZONES) GTEST_SKIP() << "skipped: built without zones";
  }
  template <typename Work>
  OpTable record(Work&& work) {
    Recorder recorder(folder.path() / "run");
    work();
    recorder.stop();
    return make_op_table(Recording::open(folder.path() / "run"));
  }
  static Count sum(const OpTable& table, Phase phase) {
    Count count;
    for (const OpRow& row : table.rows) {
      if (row.phase != phase) continue;
      count.flops += row.flops;
      count.bytes += row.bytes;
    }
    return count;
  }
  TempFolder folder;
  ThreadPool pool{2};
};

TEST_F(WorkCount, OfAForwardPassEqualsTheCountByHand) {
  const std::unique_ptr<Model> model = make_model(preset("medium"));
  model->allocate(false);
  Session session(*model, pool);
  const std::vector<std::int32_t> tokens(static_cast<std::size_t>(kT), 3);
  const OpTable table = record([&] { session.prefill(tokens); });
  Count expected = forward(kT, kT, false);
  expected.elements(kD, 8, 2);  // the last row's norm
  expected.product(1, kV, kD);  // and logits
  const Count counted = sum(table, Phase::prefill);
  EXPECT_DOUBLE_EQ(counted.flops, expected.flops);
  EXPECT_DOUBLE_EQ(counted.bytes, expected.bytes);
}

TEST_F(WorkCount, OfATrainingStepEqualsTheCountByHand) {
  const std::unique_ptr<Model> model = make_model(preset("medium"));
  model->allocate(true);
  model->initialise(1);
  TrainSettings settings;
  settings.batch = 2;
  TrainingStep step(*model, settings, pool, measure_pass(*model, pool, 2, true));
  const std::vector<std::int32_t> tokens(static_cast<std::size_t>(2 * kT), 3);
  const OpTable table = record([&] {
    step.gradients(tokens, tokens);
    step.update(1e-4);
  });
  const double rows = 2 * kT;
  Count expected = forward(rows, kT, true);
  expected.elements(rows * kD, 8, 2);  // the last norm; the loss comes with the backward pass
  Count counted = sum(table, Phase::forward);
  EXPECT_DOUBLE_EQ(counted.flops, expected.flops);
  EXPECT_DOUBLE_EQ(counted.bytes, expected.bytes);

  expected = backward(rows, kT);
  expected.product(rows, kV, kD, 3);  // logits, and both gradients
  expected.flops += 5 * rows * kV;    // softmax and loss
  counted = sum(table, Phase::backward);
  EXPECT_DOUBLE_EQ(counted.flops, expected.flops);
  EXPECT_DOUBLE_EQ(counted.bytes, expected.bytes);

  const double parameters = 3'454'464;
  EXPECT_EQ(static_cast<double>(model->values().size()), parameters) << "no padding between parameters";
  counted = sum(table, Phase::optimizer);
  EXPECT_DOUBLE_EQ(counted.flops, (2 + 15) * parameters);
  EXPECT_DOUBLE_EQ(counted.bytes, 4 * (1 + 7 + 1) * parameters) << "norm, AdamW, zeroing";
}

}  // namespace
}  // namespace smallmind
