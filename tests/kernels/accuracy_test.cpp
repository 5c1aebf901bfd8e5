// The error of exp, tanh, erf, GELU and SiLU over all of f32, against long double: the bounds that kernels.h
// states.
//
// Two sweeps: every 4,093rd bit pattern of both signs (2,049 points in each of the 254 octaves), and 400,000
// evenly spaced points of [-106, 106], where the functions do their work.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/dispatch.h"

namespace smallmind {
namespace {

using Wide = long double;
using Entry = void (*KernelTable::*)(const float*, Index, float*) noexcept;

const std::vector<float>& points() {
  static const std::vector<float> all = [] {
    std::vector<float> x;
    for (std::uint64_t bits = 0; bits < 0x7f800000u; bits += 4093) {
      x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
      x.push_back(-x.back());
    }
    for (int i = 0; i < 400'000; ++i) x.push_back(-106.0f + 212.0f * static_cast<float>(i) / 400'000.0f);
    return x;
  }();
  return all;
}

// The distance in units of the last place of the f32 nearest to the exact value.
double ulps(float got, Wide exact) {
  const int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
  return static_cast<double>(std::abs(static_cast<Wide>(got) - exact) / std::ldexp(Wide{1}, exponent - 23));
}

// Results whose error is at most `absolute` count as right; of the others none may be off by more than
// max_ulps.
void sweep(const char* name, Entry entry, Wide (*f)(Wide), double max_ulps, double absolute) {
  const std::vector<float>& x = points();
  std::vector<Wide> exact(x.size());
  std::transform(x.begin(), x.end(), exact.begin(), [f](float v) { return f(static_cast<Wide>(v)); });
  std::vector<float> got(x.size());
  for (const auto isa : available_isas()) {
    (kernels_for(isa).*entry)(x.data(), static_cast<Index>(x.size()), got.data());
    double worst = 0;
    float where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::abs(exact[i]) > 0x1.fffffep127L) {
        ASSERT_TRUE(std::isinf(got[i])) << name << " " << isa << " at " << x[i];
        continue;
      }
      const Wide error = std::abs(static_cast<Wide>(got[i]) - exact[i]);
      if (error <= absolute) continue;
      const double off = ulps(got[i], exact[i]);
      if (!(off <= worst)) {
        worst = off;
        where = x[i];
      }
    }
    EXPECT_LE(worst, max_ulps) << name << " " << isa << " at " << where;
    testing::Test::RecordProperty(std::string(name) + "_" + std::string(isa), std::to_string(worst));
  }
}

constexpr Wide kPi = 3.14159265358979323846264338327950288L;

TEST(Accuracy, Exp) {  // below 2^-126 the result is zero
  sweep(
      "exp", &KernelTable::exp, [](Wide x) { return std::exp(x); }, 2.0, 0x1p-126);
}

TEST(Accuracy, Tanh) {
  sweep(
      "tanh", &KernelTable::tanh, [](Wide x) { return std::tanh(x); }, 4.0, 0);
}

TEST(Accuracy, Erf) {
  sweep(
      "erf", &KernelTable::erf, [](Wide x) { return std::erf(x); }, 4.0, 0);
}

TEST(Accuracy, GeluTanh) {  // 0.5 x (1 + tanh u) = x / (1 + e^-2u), exact for negative u too
  sweep(
      "gelu_tanh", &KernelTable::gelu_tanh,
      [](Wide x) { return x / (1 + std::exp(-2 * std::sqrt(2 / kPi) * (x + 0.044715L * x * x * x))); }, 4.0,
      1e-7);
}

TEST(Accuracy, GeluErf) {
  sweep(
      "gelu_erf", &KernelTable::gelu_erf,
      [](Wide x) { return 0.5L * x * std::erfc(-x / std::sqrt(Wide{2})); }, 4.0, 1e-7);
}

TEST(Accuracy, Silu) {
  sweep(
      "silu", &KernelTable::silu, [](Wide x) { return x / (1 + std::exp(-x)); }, 4.0, 1e-7);
}

// Slopes are of size one: their error is stated absolutely.
TEST(Accuracy, Slopes) {
  const std::vector<float>& x = points();
  const std::vector<float> ones(x.size(), 1.0f);
  std::vector<float> got(x.size());
  for (const auto isa : available_isas()) {
    const KernelTable& t = kernels_for(isa);
    double worst_tanh = 0, worst_erf = 0;
    t.gelu_tanh_backward(ones.data(), x.data(), static_cast<Index>(x.size()), got.data(), false);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double v = std::clamp(static_cast<double>(x[i]), -50.0, 50.0);
      const double th = std::tanh(std::sqrt(2 / static_cast<double>(kPi)) * (v + 0.044715 * v * v * v));
      const double slope = 0.5 * (1 + th) + 0.5 * v * (1 - th * th) *
                                                std::sqrt(2 / static_cast<double>(kPi)) *
                                                (1 + 3 * 0.044715 * v * v);
      worst_tanh = std::max(worst_tanh, std::abs(static_cast<double>(got[i]) - slope));
    }
    t.gelu_erf_backward(ones.data(), x.data(), static_cast<Index>(x.size()), got.data(), false);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double v = std::clamp(static_cast<double>(x[i]), -50.0, 50.0);
      const double slope = 0.5 * std::erfc(-v / std::sqrt(2.0)) +
                           v * std::exp(-0.5 * v * v) / std::sqrt(2 * static_cast<double>(kPi));
      worst_erf = std::max(worst_erf, std::abs(static_cast<double>(got[i]) - slope));
    }
    EXPECT_LE(worst_tanh, 1e-6) << isa;
    EXPECT_LE(worst_erf, 1e-6) << isa;
  }
}

}  // namespace
}  // namespace smallmind
