// The norms that are fused with the residual addition have the bits of their parts, values and gradients.
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/gradcheck.h"

namespace smallmind::test {
namespace {

using Tensors = std::vector<Tensor>;
using Params = std::vector<Param>;

OpCase norm_case(Op op, decltype(OpCase::build) build, Index rows) {
  std::vector<Matrix> params = {random_matrix(1, 203, 3)};
  if (op == Op::add_layer_norm) params.push_back(random_matrix(1, 203, 4));
  return {op,
          "",
          {random_matrix(rows, 203, 1), random_matrix(rows, 203, 2)},
          std::move(params),
          std::move(build),
          nullptr};
}

TEST(AddNormTest, LayerNormHasTheBitsOfItsParts) {
  const auto fused = [](Exec& ex, const Tensors& x, const Params& p) {
    const ResidualNorm r = add_layer_norm(ex, x[0], x[1], p[0], p[1], 1e-5f);
    return add(ex, r.sum, r.normed);
  };
  const auto composed = [](Exec& ex, const Tensors& x, const Params& p) {
    const Tensor sum = add(ex, x[0], x[1]);
    return add(ex, sum, layer_norm(ex, sum, p[0], p[1], 1e-5f));
  };
  for (const Index rows : {1, 7, 150})
    EXPECT_EQ(run_recorded(norm_case(Op::add_layer_norm, fused, rows), 2),
              run_recorded(norm_case(Op::add_layer_norm, composed, rows), 2))
        << rows << " rows";
}

TEST(AddNormTest, RmsNormHasTheBitsOfItsParts) {
  const auto fused = [](Exec& ex, const Tensors& x, const Params& p) {
    const ResidualNorm r = add_rms_norm(ex, x[0], x[1], p[0], 1e-5f);
    return add(ex, r.sum, r.normed);
  };
  const auto composed = [](Exec& ex, const Tensors& x, const Params& p) {
    const Tensor sum = add(ex, x[0], x[1]);
    return add(ex, sum, rms_norm(ex, sum, p[0], 1e-5f));
  };
  for (const Index rows : {1, 7, 150})
    EXPECT_EQ(run_recorded(norm_case(Op::add_rms_norm, fused, rows), 2),
              run_recorded(norm_case(Op::add_rms_norm, composed, rows), 2))
        << rows << " rows";
}

}  // namespace
}  // namespace smallmind::test
