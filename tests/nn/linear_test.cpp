// The fused forms of linear against their parts: values and gradients while recording, values in inference,
// weights of 16 bits, and what inference leaves in memory.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/dispatch.h"
#include "nn/matmul.h"
#include "tensor/half.h"
#include "tests/support/gradcheck.h"

namespace smallmind::test {
namespace {

using Tensors = std::vector<Tensor>;
using Params = std::vector<Param>;

// Several slabs, blocks of k and panels, and edges of each.
OpCase product_case(Op op, decltype(OpCase::build) build, Index rows) {
  return {op,
          "",
          {random_matrix(rows, 403, 1), random_matrix(rows, 203, 2)},
          {random_matrix(203, 403, 3, 0.05), random_matrix(1, 203, 4)},
          std::move(build),
          nullptr};
}

TEST(FusedLinearTest, GeluHasTheBitsOfItsParts) {
  for (const GeluForm form : {GeluForm::tanh, GeluForm::erf}) {
    for (const Index rows : {1, 7, 50}) {
      const auto fused = [form](Exec& ex, const Tensors& x, const Params& p) {
        return add(ex, linear_gelu(ex, x[0], p[0], p[1], form), x[1]);
      };
      const auto composed = [form](Exec& ex, const Tensors& x, const Params& p) {
        return add(ex, gelu(ex, linear(ex, x[0], p[0], p[1]), form), x[1]);
      };
      EXPECT_EQ(run_recorded(product_case(Op::linear_gelu, fused, rows), 2),
                run_recorded(product_case(Op::linear_gelu, composed, rows), 2))
          << rows << " rows";
    }
  }
}

TEST(FusedLinearTest, ResidualHasTheBitsOfItsParts) {
  for (const Index rows : {1, 7, 50}) {
    const auto fused = [](Exec& ex, const Tensors& x, const Params& p) {
      return linear_add(ex, x[0], p[0], p[1], x[1]);
    };
    const auto composed = [](Exec& ex, const Tensors& x, const Params& p) {
      return add(ex, x[1], linear(ex, x[0], p[0], p[1]));
    };
    EXPECT_EQ(run_recorded(product_case(Op::linear_add, fused, rows), 2),
              run_recorded(product_case(Op::linear_add, composed, rows), 2))
        << rows << " rows";
  }
}

std::vector<float> floats(Index rows, Index cols, std::uint64_t seed) {
  const Matrix m = random_matrix(rows, cols, seed);
  return {m.values.begin(), m.values.end()};
}

// Inference with packed or plain weights.
class InferenceTest : public testing::Test {
 protected:
  static constexpr Index kIn = 403, kOut = 203;

  void pack(DType type) {
    panels_.resize(packed_bytes(kernels(), kIn, kOut, type));
    pack_matrix(pool_, kernels(), weight_.data(), 1, kIn, kIn, kOut, panels_.data(), type);
    w_.panels = {panels_.data(), type};
  }

  // Runs f(ex, x, residual) on fresh copies and returns the values of what it returns.
  template <typename F>
  std::vector<float> run(Index rows, F&& f) {
    const auto call = [&](Exec& ex) {
      std::vector<float> x(x_.begin(), x_.begin() + rows * kIn), r(r_.begin(), r_.begin() + rows * kOut);
      const Step step(ex);
      const Tensor out =
          f(ex, Tensor{x.data(), rows, kIn, kIn, nullptr, 0}, Tensor{r.data(), rows, kOut, kOut, nullptr, 0});
      return ex.measuring() ? std::vector<float>{} : std::vector<float>(out.data, out.data + out.size());
    };
    Exec dry = Exec::measuring(pool_, kernels(), false);
    call(dry);
    memory_ = dry.memory();
    Exec ex(pool_, kernels(), false, memory_);
    return call(ex);
  }

  ThreadPool pool_{2};
  std::vector<float> x_ = floats(50, kIn, 1), r_ = floats(50, kOut, 2), weight_ = floats(kOut, kIn, 3),
                     bias_ = floats(1, kOut, 4);
  std::vector<std::byte> panels_;
  Param w_{.name = "w", .rows = kOut, .cols = kIn, .data = weight_.data()};
  Param b_{.name = "b", .rows = 1, .cols = kOut, .data = bias_.data()};
  ExecMemory memory_;
};

TEST_F(InferenceTest, FusedFormsEqualTheirParts) {
  for (const bool packed : {false, true}) {
    if (packed) pack(DType::f32);
    for (const Index rows : {1, 4, 8, 9, 50}) {
      const auto fused_gelu = run(rows, [&](Exec& ex, const Tensor& x, const Tensor&) {
        return linear_gelu(ex, x, w_, b_, GeluForm::tanh);
      });
      EXPECT_EQ(fused_gelu,
                run(rows, [&](Exec& ex, const Tensor& x,
                              const Tensor&) { return gelu(ex, linear(ex, x, w_, b_), GeluForm::tanh); }))
          << rows << " rows";
      const auto fused_add = run(rows, [&](Exec& ex, const Tensor& x, const Tensor& r) {
        const Tensor out = linear_add(ex, x, w_, b_, r);
        EXPECT_EQ(out.data, r.data);  // the residual stream stays where it is
        return out;
      });
      EXPECT_EQ(fused_add, run(rows, [&](Exec& ex, const Tensor& x,
                                         const Tensor& r) { return add(ex, r, linear(ex, x, w_, b_)); }))
          << rows << " rows";
    }
  }
}

TEST_F(InferenceTest, NormedProductsEqualTheirParts) {
  std::vector<float> scale = floats(1, kIn, 5), shift = floats(1, kIn, 6);
  const Param weight{.name = "norm", .rows = 1, .cols = kIn, .data = scale.data()};
  const Param bias{.name = "norm_bias", .rows = 1, .cols = kIn, .data = shift.data()};
  const auto check = [&](const Norm& norm, Index rows, auto&& parts) {
    const auto normed =
        run(rows, [&](Exec& ex, const Tensor& x, const Tensor&) { return norm_linear(ex, x, norm, w_, b_); });
    const std::size_t scratch = memory_.scratch;
    EXPECT_EQ(normed, run(rows, [&](Exec& ex, const Tensor& x,
                                    const Tensor&) { return linear(ex, parts(ex, x), w_, b_); }))
        << rows << " rows";
    const auto with_gelu = run(rows, [&](Exec& ex, const Tensor& x, const Tensor&) {
      return norm_linear_gelu(ex, x, norm, w_, b_, GeluForm::erf);
    });
    EXPECT_EQ(with_gelu,
              run(rows, [&](Exec& ex, const Tensor& x,
                            const Tensor&) { return linear_gelu(ex, parts(ex, x), w_, b_, GeluForm::erf); }))
        << rows << " rows";
    return scratch;
  };
  for (const bool packed : {false, true}) {
    if (packed) pack(DType::f32);
    std::size_t for_one_row = 0;
    for (const Index rows : {1, 2, 4, 5, 50}) {
      const std::size_t scratch = check({weight, &bias, 1e-5f}, rows, [&](Exec& ex, const Tensor& x) {
        return layer_norm(ex, x, weight, bias, 1e-5f);
      });
      check({weight, nullptr, 1e-6f}, rows,
            [&](Exec& ex, const Tensor& x) { return rms_norm(ex, x, weight, 1e-6f); });
      if (rows == 1) for_one_row = scratch;
      if (packed && rows <= 4) {
        EXPECT_EQ(scratch, for_one_row) << "one row tells what four need";
      }
    }
  }
}

TEST_F(InferenceTest, NothingButTheResultIsKept) {
  pack(DType::f32);
  run(1, [&](Exec& ex, const Tensor& x, const Tensor&) { return linear_gelu(ex, x, w_, b_, GeluForm::erf); });
  const std::size_t one_row = (kOut * sizeof(float) + 63) / 64 * 64;
  EXPECT_LE(memory_.total(), one_row);
  run(1, [&](Exec& ex, const Tensor& x, const Tensor& r) { return linear_add(ex, x, w_, b_, r); });
  EXPECT_EQ(memory_.total(), 0U);
}

// Packed panels of 16 bits give the bits that f32 gives for the rounded weights, for every number of rows.
TEST_F(InferenceTest, WeightsOf16BitsAreRoundedWeights) {
  const std::vector<float> exact = weight_;
  for (const DType type : {DType::f16, DType::bf16}) {
    weight_ = exact;
    pack(type);
    for (float& w : weight_) w = type == DType::f16 ? f16_to_f32(f32_to_f16(w)) : bf16_to_f32(f32_to_bf16(w));
    const auto forward = [&](Exec& ex, const Tensor& x, const Tensor& r) {
      return linear_add(ex, x, w_, b_, r);
    };
    std::vector<std::vector<float>> narrow;
    for (const Index rows : {1, 8, 50}) narrow.push_back(run(rows, forward));
    pack(DType::f32);
    std::size_t i = 0;
    for (const Index rows : {1, 8, 50}) EXPECT_EQ(narrow[i++], run(rows, forward)) << dtype_name(type);
  }
}

}  // namespace
}  // namespace smallmind::test
