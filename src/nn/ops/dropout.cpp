// dropout: out = x mask / (1 - p), mask drawn by Philox from (seed, step, site, element).
//
// Backward: dx (+)= dout mask / (1 - p): the draws are made again, nothing is saved.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct Draws {
  float keep;
  std::uint64_t seed, stream;
};

void apply(Exec& ex, const Draws& draws, const Tensor& x, float* out, Index out_stride) {
  ex.parallel(x.rows, row_grain(x.cols), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      ex.kernels().dropout(x.row(i), x.cols, draws.keep, draws.seed, draws.stream,
                           static_cast<std::uint64_t>(i * x.cols), out + i * out_stride);
  });
}

struct DropoutBackward {
  static constexpr Op kOp = Op::dropout;
  Draws draws;
  Tensor x, out;

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    const GradTarget dx = dout.rows == 0 ? GradTarget{} : ex.gradient_of(x);
    if (!dx) return;
    const OpZone zone(ex, kOp, elementwise_cost(x.size(), 2, 2));
    if (!dx.accumulate) return apply(ex, draws, dout, dx.data, dx.stride);
    ScratchScope scratch(ex);
    const Tensor masked{ex.scratch(dout.size()), dout.rows, dout.cols, dout.cols, nullptr, 0};
    apply(ex, draws, dout, masked.data, masked.stride);
    add_rows(ex, masked, dx);
  }
};

}  // namespace

Tensor dropout(Exec& ex, const Tensor& x, float p) {
  SM_CHECK(p >= 0.0f && p < 1.0f, "[dropout] a probability in [0, 1) expected, {} given", p);
  if (p == 0.0f) return x;
  const OpZone zone(ex, Op::dropout, elementwise_cost(x.size(), 2, 2));
  const Tensor out = ex.recording() ? ex.make(x.rows, x.cols) : x;
  const Draws draws{1.0f - p, ex.seed(), ex.next_stream()};
  apply(ex, draws, x, out.data, out.stride);
  ex.record(DropoutBackward{draws, x, out});
  return out;
}

}  // namespace smallmind
