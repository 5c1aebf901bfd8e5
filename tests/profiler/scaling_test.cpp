// Scaling: fits of curves whose formula is known, real measurements of a tiny model, exponents between
// models.
#include "profiler/scaling.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/presets.h"
#include "profiler/model_scaling.h"

namespace smallmind {
namespace {

ScalingCurve curve_of(const std::string& axis, const std::vector<Index>& xs, double (*seconds)(double)) {
  ScalingCurve curve;
  curve.axis = axis;
  for (const Index x : xs) {
    const double t = seconds(static_cast<double>(x));
    curve.points.push_back({.x = x, .seconds = t, .spread = 0, .tokens_per_second = 1 / t, .fitted = 0});
  }
  fit_scaling(curve);
  return curve;
}

TEST(Scaling, AmdahlsLawIsFound) {
  const ScalingCurve curve = curve_of("threads", {1, 2, 4, 8}, [](double n) { return 2e-3 + 6e-3 / n; });
  EXPECT_NEAR(curve.constant, 2e-3, 1e-9);
  EXPECT_NEAR(curve.variable, 6e-3, 1e-9);
  EXPECT_NEAR(curve.bend, 3, 1e-6);
  EXPECT_NEAR(curve.residual, 0, 1e-9);
  EXPECT_NE(curve.reading.find("25 %"), std::string::npos) << curve.reading;
  EXPECT_NE(curve.reading.find("4.0 x"), std::string::npos) << curve.reading;
}

TEST(Scaling, ABatchBendsWhereRowsCostAsMuchAsTheWeights) {
  const ScalingCurve curve = curve_of("batch", {1, 2, 4, 8, 16}, [](double b) { return 1e-3 + 0.25e-3 * b; });
  EXPECT_NEAR(curve.bend, 4, 1e-6);
  EXPECT_NE(curve.formula.find("x sequences"), std::string::npos) << curve.formula;
}

TEST(Scaling, ATermThatIsNotThereDoesNotBend) {
  const ScalingCurve curve = curve_of("context", {0, 64, 128}, [](double) { return 1e-3; });
  EXPECT_EQ(curve.bend, 0);
  EXPECT_NE(curve.reading.find("nothing"), std::string::npos);
}

TEST(Scaling, MeasuresAllAxesOfAModel) {
  const std::unique_ptr<Model> model = make_model(preset("tiny"));
  model->allocate(false);
  model->initialise(1);
  const auto curves =
      measure_scaling(*model, {.threads = 2, .most_batch = 4, .seconds = 0.01, .least_repeats = 3});
  ASSERT_EQ(curves.size(), 3U);
  const std::vector<std::vector<Index>> expected = {{1, 2}, {1, 2, 4}, {0, 4, 8, 16, 24, 31}};
  for (std::size_t i = 0; i < curves.size(); ++i) {
    std::vector<Index> xs;
    for (const ScalingPoint& point : curves[i].points) {
      xs.push_back(point.x);
      EXPECT_GT(point.seconds, 0);
    }
    EXPECT_EQ(xs, expected[i]);
    EXPECT_FALSE(curves[i].reading.empty());
  }
  const auto document = nlohmann::json::parse(scaling_json("tiny", curves));
  EXPECT_EQ(document["curves"][1]["axis"], "batch");
  EXPECT_NE(scaling_text("tiny", curves).find("sequences"), std::string::npos);
}

MeasuredModel model_of(const char* name, double parameters, double decode_rate, double share) {
  MeasuredModel model;
  model.name = name;
  model.parameters = parameters;
  BenchResult result;
  result.test = "tg50";
  result.mode = "kv_cache";
  result.threads = 2;
  result.tokens_per_second = decode_rate;
  result.roofline_share = share;
  model.results.push_back(result);
  model.weight_bytes = 4 * parameters;
  return model;
}

// 10 x the parameters at a fifth of the rate: exponent log10(5). At the roof it would be 10 times as long.
TEST(ModelScaling, ExponentsAreThoseOfTheRatios) {
  const auto rows = compare_models(model_of("a", 1e6, 1000, 0.4), model_of("b", 1e7, 200, 0.8));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_NEAR(rows[0].exponent, 0.69897, 1e-5);
  EXPECT_NEAR(rows[0].expected.value(), 1, 1e-9);
  EXPECT_EQ(rows[1].quantity, "weights: bytes");
  EXPECT_NEAR(rows[1].exponent, 1, 1e-9);
}

TEST(ModelScaling, ModelsOfOneSizeAreRefused) {
  EXPECT_THROW(compare_models(model_of("a", 1e6, 1, 1), model_of("b", 1e6, 2, 1)), Error);
}

TEST(ModelScaling, MeasuresPresets) {
  std::vector<MeasuredModel> models;
  for (const char* name : {"tiny", "small"}) {
    const std::unique_ptr<Model> model = make_model(preset(name));
    model->allocate(true);
    model->initialise(1);
    ModelBenchOptions options;
    options.prompt_tokens = 8;
    options.decode_tokens = 4;
    options.train_batch = 1;
    options.seconds = 0.01;
    models.push_back(measure_model(name, *model, 1, options));
  }
  const auto document = nlohmann::json::parse(model_scaling_json(models[0], models[1]));
  EXPECT_EQ(document["rows"].size(), 6U);  // prompt, decode, training; weights, cache, training memory
  for (const auto& row : document["rows"]) EXPECT_GT(row["exponent"], 0) << row.dump();
  EXPECT_NE(model_scaling_text(models[0], models[1]).find("KV cache"), std::string::npos);
}

}  // namespace
}  // namespace smallmind
