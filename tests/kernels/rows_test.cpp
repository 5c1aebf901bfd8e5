// Every row kernel of every instruction set against scalar, scalar against double, over lengths around the
// vector width and misaligned pointers; and what special values, long rows and the random draws must give.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/random.h"
#include "kernels/dispatch.h"
#include "row_cases.h"

namespace smallmind {
namespace {

using row_cases::Case;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kMax = std::numeric_limits<float>::max();

std::vector<Index> lengths() {
  std::vector<Index> all;
  for (Index n = 0; n <= 2 * 16 + 3; ++n) all.push_back(n);
  for (const Index n : {64, 67, 1000, 4096}) all.push_back(n);
  return all;
}

template <typename T>
void expect_close(const Case& c, Index n, const std::vector<float>& got, const std::vector<T>& expected,
                  const char* isa) {
  ASSERT_EQ(got.size(), expected.size()) << c.name;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = static_cast<double>(expected[i]);
    const double bound = c.absolute + c.relative * std::abs(e) + c.per_element * static_cast<double>(n);
    ASSERT_LE(std::abs(static_cast<double>(got[i]) - e), bound)
        << c.name << " " << isa << " n=" << n << " output " << i;
  }
}

TEST(Rows, ScalarEqualsDouble) {
  for (const Case& c : row_cases::cases()) {
    if (!c.reference) continue;
    for (const Index n : lengths())
      expect_close(c, n, c.run(kernels_for("scalar"), n, 0), c.reference(n), "scalar");
  }
}

TEST(Rows, EveryIsaEqualsScalarAtEveryLengthAndAlignment) {
  for (const Case& c : row_cases::cases()) {
    for (const Index n : lengths()) {
      for (const Index shift : {0, 1, 6, 15}) {
        const std::vector<float> expected = c.run(kernels_for("scalar"), n, shift);
        for (const auto isa : available_isas()) {
          expect_close(c, n, c.run(kernels_for(isa), n, shift), expected, isa.data());
        }
      }
    }
  }
}

TEST(Rows, DropoutDrawsEqualRandomStream) {
  const RandomStream stream(0xFEDCBA9876543210u, 7, 3);
  const std::uint64_t packed = (std::uint64_t{7} << 32) | 3;
  const std::vector<float> ones(300, 1.0f);
  // The last start makes the low word of the block counter wrap inside the call.
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{6}, std::uint64_t{1003},
                                    (std::uint64_t{1} << 34) - 101}) {
    for (const auto isa : available_isas()) {
      for (const std::size_t n : {1u, 2u, 5u, 63u, 64u, 65u, 300u}) {
        std::vector<float> out(n, -1.0f);
        kernels_for(isa).dropout(ones.data(), static_cast<Index>(n), 0.8f, 0xFEDCBA9876543210u, packed, first,
                                 out.data());
        for (std::size_t i = 0; i < n; ++i) {
          ASSERT_EQ(out[i], stream.uniform(first + i) < 0.8f ? 1.0f * (1.0f / 0.8f) : 0.0f)
              << isa << " " << first << " " << i;
        }
      }
    }
  }
}

TEST(Rows, DropoutKeepsEverythingAtOneAndTheRightShareElsewhere) {
  const std::vector<float> x(100000, 2.0f);
  std::vector<float> out(x.size());
  for (const auto isa : available_isas()) {
    kernels_for(isa).dropout(x.data(), 100000, 1.0f, 1, 2, 3, out.data());
    EXPECT_EQ(out, x);
    kernels_for(isa).dropout(x.data(), 100000, 0.25f, 1, 2, 3, out.data());
    double kept = 0;
    for (const float v : out) kept += v == 8.0f;
    EXPECT_NEAR(kept / 100000, 0.25, 0.006);  // 4 standard deviations
  }
}

struct Special {
  float x, gelu_tanh, gelu_erf, silu, relu, exp, tanh, erf;
};

TEST(Rows, SpecialValues) {
  const Special specials[] = {
      {0.0f, 0, 0, 0, 0, 1, 0, 0},
      {-0.0f, -0.0f, -0.0f, -0.0f, 0, 1, -0.0f, -0.0f},
      {kInf, kInf, kInf, kInf, kInf, kInf, 1, 1},
      {-kInf, 0, 0, 0, 0, 0, -1, -1},
      {kMax, kMax, kMax, kMax, kMax, kInf, 1, 1},
      {-kMax, 0, 0, 0, 0, 0, -1, -1},
      {kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN},
      {0x1p-149f, 0, 0, 0, 0x1p-149f, 1, 0x1p-149f, 0x1p-149f},
  };
  for (const auto isa : available_isas()) {
    const KernelTable& t = kernels_for(isa);
    for (const Special& s : specials) {
      for (const Index n : {1, 5, 16, 17}) {  // in whole vectors and in masked ones
        const std::vector<float> x(static_cast<std::size_t>(n), s.x);
        std::vector<float> out(x.size());
        const auto check = [&](auto entry, float expected, const char* name) {
          entry(x.data(), n, out.data());
          for (const float v : out) {
            if (std::isnan(expected)) {
              EXPECT_TRUE(std::isnan(v)) << name << " " << isa << " of " << s.x << " is " << v;
            } else {
              // Flushing the tiniest results to zero is allowed; a sign of zero is kept by tanh and erf only.
              EXPECT_TRUE(v == expected || std::abs(v - expected) < 1e-35f)
                  << name << " " << isa << " of " << s.x << " is " << v;
            }
          }
        };
        check(t.gelu_tanh, s.gelu_tanh, "gelu_tanh");
        check(t.gelu_erf, s.gelu_erf, "gelu_erf");
        check(t.silu, s.silu, "silu");
        check(t.relu, s.relu, "relu");
        check(t.exp, s.exp, "exp");
        check(t.tanh, s.tanh, "tanh");
        EXPECT_EQ(std::signbit(out[0]), std::signbit(s.tanh));
        check(t.erf, s.erf, "erf");
        EXPECT_EQ(std::signbit(out[0]), std::signbit(s.erf));
      }
    }
  }
}

// Gradients stay finite and right where the forward formulas would meet infinities.
TEST(Rows, SlopesAtTheEnds) {
  const float ends[] = {-kInf, -kMax, -200.0f, 200.0f, kMax, kInf};
  for (const auto isa : available_isas()) {
    const KernelTable& t = kernels_for(isa);
    for (const float x : ends) {
      const float one = 1.0f, expected = x > 0 ? 1.0f : 0.0f;
      float dx = -1;
      t.gelu_tanh_backward(&one, &x, 1, &dx, false);
      EXPECT_NEAR(dx, expected, 1e-30) << isa << " gelu_tanh at " << x;
      t.gelu_erf_backward(&one, &x, 1, &dx, false);
      EXPECT_NEAR(dx, expected, 1e-30) << isa << " gelu_erf at " << x;
    }
  }
}

TEST(Rows, SoftmaxRowsSumToOne) {
  const RandomStream random(11, 0, 0);
  for (const auto isa : available_isas()) {
    for (const Index n : {1, 2, 7, 16, 100, 1000, 4096, 50257}) {
      for (const float spread : {0.0f, 1.0f, 30.0f, 1e4f, 1e6f}) {
        std::vector<float> x(static_cast<std::size_t>(n)), out(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = spread * (random.uniform(i) - 0.5f);
        kernels_for(isa).softmax(x.data(), n, 1, n, out.data(), n);
        double total = 0;
        for (const float v : out) total += static_cast<double>(v);
        EXPECT_NEAR(total, 1.0, 1e-6) << isa << " n=" << n << " spread " << spread;
      }
    }
  }
}

TEST(Rows, SoftmaxMasksAndExtremes) {
  for (const auto isa : available_isas()) {
    const KernelTable& t = kernels_for(isa);
    const std::vector<float> x{-kInf, 3e38f, -kInf, 3e38f, -3e38f};
    std::vector<float> out(5);
    t.softmax(x.data(), 5, 1, 5, out.data(), 5);
    EXPECT_EQ(out, (std::vector<float>{0, 0.5f, 0, 0.5f, 0})) << isa;
    std::vector<float> wide(40, 0.0f), result(40);
    wide[37] = kNaN;
    t.softmax(wide.data(), 40, 1, 40, result.data(), 40);
    for (const float v : result) EXPECT_TRUE(std::isnan(v)) << isa;
    const std::int32_t target = 1;
    float loss = 0, lse = 0;
    t.cross_entropy(x.data(), 5, &target, 1, 5, &loss, &lse);
    EXPECT_EQ(lse, 3e38f) << isa;
  }
}

TEST(Rows, LayerNormOfALargeOffsetIsExact) {
  const RandomStream random(5, 0, 0);
  for (const auto isa : available_isas()) {
    for (const Index n : {64, 512, 4096, 50257}) {
      std::vector<float> x(static_cast<std::size_t>(n)), w(x.size(), 1.0f), out(x.size()), dout(x.size()),
          dx(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = 1e4f + random.normal(i);
      for (std::size_t i = 0; i < x.size(); ++i) dout[i] = random.normal(i + 1000000);
      float mean = 0, rstd = 0;
      const KernelTable& t = kernels_for(isa);
      t.layer_norm(x.data(), n, w.data(), nullptr, 1e-5f, 1, n, out.data(), n, &mean, &rstd);
      t.layer_norm_backward(dout.data(), x.data(), n, w.data(), &mean, &rstd, 1, n, dx.data(), false, nullptr,
                            nullptr);
      long double m = 0, v = 0, g = 0, gh = 0;
      for (const float e : x) m += static_cast<long double>(e) / n;
      for (const float e : x) v += (e - m) * (e - m) / n;
      const long double r = 1 / std::sqrt(v + 1e-5L);
      for (std::size_t i = 0; i < x.size(); ++i) g += static_cast<long double>(dout[i]) / n;
      for (std::size_t i = 0; i < x.size(); ++i) gh += dout[i] * (x[i] - m) * r / n;
      double worst = 0, worst_gradient = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const long double h = (x[i] - m) * r;
        worst = std::max(worst, static_cast<double>(std::abs(out[i] - h)));
        worst_gradient =
            std::max(worst_gradient, static_cast<double>(std::abs(dx[i] - r * (dout[i] - g - h * gh))));
      }
      EXPECT_LE(worst, 1e-4) << isa << " n=" << n;
      EXPECT_LE(worst_gradient, 1e-4) << isa << " n=" << n;
    }
  }
}

TEST(Rows, ConstantRowsNormaliseToTheBias) {
  for (const auto isa : available_isas()) {
    const std::vector<float> x(37, 12345.678f), w(37, 2.0f), b(37, 0.5f);
    std::vector<float> out(37);
    kernels_for(isa).layer_norm(x.data(), 37, w.data(), b.data(), 1e-5f, 1, 37, out.data(), 37, nullptr,
                                nullptr);
    for (const float v : out) EXPECT_EQ(v, 0.5f) << isa;
  }
}

// Sums of ten million terms keep their digits, and squares may leave f32's range.
TEST(Rows, LongAndExtremeSums) {
  const std::vector<float> tenths(10'000'000, 0.1f), huge(100, 1e30f), tiny(100, 1e-30f);
  const double tenth = static_cast<double>(0.1f);
  for (const auto isa : available_isas()) {
    const KernelTable& t = kernels_for(isa);
    EXPECT_NEAR(static_cast<double>(t.dot(tenths.data(), tenths.data(), 10'000'000)) / (1e7 * tenth * tenth),
                1.0, 2e-7)
        << isa;
    EXPECT_NEAR(t.sum_squares(tenths.data(), 10'000'000) / (1e7 * tenth * tenth), 1.0, 1e-10) << isa;
    EXPECT_NEAR(t.sum_squares(huge.data(), 100) / 1e62, 1.0, 1e-6) << isa;
    EXPECT_NEAR(t.sum_squares(tiny.data(), 100) / 1e-58, 1.0, 1e-6) << isa;
  }
}

// Four rows together and alone give the same bits.
TEST(Rows, ARowDoesNotDependOnItsNeighbours) {
  const RandomStream random(3, 0, 0);
  constexpr Index n = 101;
  std::vector<float> x(4 * n), w(n, 1.5f), together(4 * n), alone(n);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.normal(i);
  for (const auto isa : available_isas()) {
    const KernelTable& t = kernels_for(isa);
    const auto compare = [&](auto run) {
      run(x.data(), 4, together.data());
      for (Index row = 0; row < 4; ++row) {
        run(x.data() + row * n, 1, alone.data());
        for (Index j = 0; j < n; ++j)
          ASSERT_EQ(alone[static_cast<std::size_t>(j)], together[static_cast<std::size_t>(row * n + j)]);
      }
    };
    compare([&](const float* p, Index rows, float* out) { t.softmax(p, n, rows, n, out, n); });
    compare([&](const float* p, Index rows, float* out) {
      t.rms_norm(p, n, w.data(), 1e-5f, rows, n, out, n, nullptr);
    });
    compare([&](const float* p, Index rows, float* out) {
      t.layer_norm(p, n, w.data(), nullptr, 1e-5f, rows, n, out, n, nullptr, nullptr);
    });
  }
}

TEST(Rows, PeakCountsItsFlops) {
  EXPECT_EQ(kernels_for("scalar").fma_flops(100), 2.0 * 12 * 100);
  for (const auto isa : available_isas()) EXPECT_GT(kernels_for(isa).fma_flops(10), 0.0);
}

}  // namespace
}  // namespace smallmind
