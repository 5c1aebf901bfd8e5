// Ten training steps from the same weights on the same batch against PyTorch in double precision.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <filesystem>

#include "base/json.h"
#include "model/loader.h"
#include "train/step.h"

namespace smallmind {
namespace {

class GoldenTraining : public testing::TestWithParam<const char*> {};

std::vector<std::int32_t> flat(const nlohmann::json& rows) {
  std::vector<std::int32_t> ids;
  for (const auto& row : rows)
    for (const auto& id : row) ids.push_back(id.get<std::int32_t>());
  return ids;
}

TEST_P(GoldenTraining, TenStepsGivePyTorchsLosses) {
  const std::filesystem::path folder = std::filesystem::path(SM_SOURCE_DIR) / "tests/golden" / GetParam();
  const nlohmann::json reference = read_json_file((folder / "reference.json").string());
  const auto model = load_model(folder, {.gradients = true});
  const std::vector<std::int32_t> inputs = flat(reference["inputs"]), targets = flat(reference["targets"]);
  const nlohmann::json& o = reference["optimizer"];
  TrainSettings settings;
  settings.batch = static_cast<std::int64_t>(reference["inputs"].size());
  settings.optimizer = {o["beta1"], o["beta2"], o["eps"], o["weight_decay"], o["clip_norm"]};
  ThreadPool pool(2);
  TrainingStep step(*model, settings, pool, measure_pass(*model, pool, settings.batch, true));
  const auto losses = reference["losses"].get<std::vector<double>>();
  ASSERT_EQ(losses.size(), 10u);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const StepOutcome outcome = step.gradients(inputs, targets);
    EXPECT_NEAR(outcome.loss, losses[i], 1e-4 * losses[i]) << "step " << i;
    if (i == 0) {
      const double norm = reference["gradient_norm"];
      EXPECT_NEAR(outcome.gradient_norm, norm, 1e-4 * norm);
    }
    step.update(o["lr"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, GoldenTraining, testing::Values("gpt2", "llama"));

}  // namespace
}  // namespace smallmind
