// Whole models against PyTorch's golden values (tests/golden): logits, gradients, ten AdamW steps are in the
// train tests.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/safetensors_reader.h"
#include "kernels/dispatch.h"
#include "model/loader.h"
#include "model/tensor_names.h"

namespace smallmind {
namespace {

struct Golden {
  std::unique_ptr<Model> model;
  TensorSource reference;
  std::vector<std::int32_t> inputs, targets;
  Index batch = 0;
};

std::vector<std::int32_t> flatten(const nlohmann::json& rows) {
  std::vector<std::int32_t> out;
  for (const auto& row : rows)
    for (const auto& id : row) out.push_back(id.get<std::int32_t>());
  return out;
}

Golden load_golden(const std::string& arch) {
  const std::filesystem::path directory = std::filesystem::path(SM_SOURCE_DIR) / "tests/golden" / arch;
  std::ifstream file(directory / "reference.json");
  const nlohmann::json json = nlohmann::json::parse(file);
  return {load_model(directory, {.gradients = true, .check_tensors = true}),
          open_safetensors(directory / "reference.safetensors"), flatten(json["inputs"]),
          flatten(json["targets"]), static_cast<Index>(json["inputs"].size())};
}

std::vector<float> values_of(const TensorSource& source, const std::string& name) {
  const StoredTensor& tensor = source.at(name);
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  read_f32(tensor, values);
  return values;
}

class GoldenTest : public testing::TestWithParam<const char*> {};

// Logits and the gradients of the mean loss.
TEST_P(GoldenTest, LogitsAndGradientsEqualPyTorchs) {
  Golden g = load_golden(GetParam());
  ThreadPool pool(2);
  std::vector<Segment> segments;
  const TokenBatch batch = training_batch(g.inputs, g.batch, segments);
  std::vector<float> logits;
  const auto run = [&](Exec& ex) {
    const Step step(ex);
    const Tensor hidden = g.model->forward(ex, batch, nullptr);
    const Tensor out = g.model->logits(ex, hidden);
    if (!ex.measuring()) logits.assign(out.data, out.data + out.size());
    const Tensor loss = cross_entropy(ex, out, g.targets);
    const float one = 1.0f;
    ex.backward(loss, &one);
  };
  Exec dry = Exec::measuring(pool, kernels(), true);
  run(dry);
  Exec ex(pool, kernels(), true, dry.memory());
  run(ex);

  const std::vector<float> expected = values_of(g.reference, "logits");
  ASSERT_EQ(logits.size(), expected.size());
  for (std::size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(logits[i], expected[i], 2e-6) << i;

  g.model->visit([&](Param& param) {
    const HfName name = hf_name(g.model->config().arch, param.name);
    const std::vector<float> gradient = values_of(g.reference, "grad." + name.name);
    float largest = 0;
    for (const float value : gradient) largest = std::max(largest, std::abs(value));
    for (Index r = 0; r < param.rows; ++r)
      for (Index c = 0; c < param.cols; ++c) {
        const Index at = name.transposed ? c * param.rows + r : r * param.cols + c;
        ASSERT_NEAR(param.grad[r * param.cols + c], gradient[static_cast<std::size_t>(at)], 2e-5f * largest)
            << param.name << " (" << r << ", " << c << ")";
      }
  });
}

INSTANTIATE_TEST_SUITE_P(Architectures, GoldenTest, testing::Values("gpt2", "llama"),
                         [](const auto& arch) { return std::string(arch.param); });

}  // namespace
}  // namespace smallmind
