// rms_norm: out = x r w over each row, r = 1 / sqrt(mean(x^2) + eps).
//
// Backward, with g = dout w:  dx = r g - x r^3 mean(g x),  dw = sum over rows of dout x r.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct RmsNormBackward {
  static constexpr Op kOp = Op::rms_norm;
  Tensor x, out;
  const float *weight, *rstd;
  float* dweight;  // null where not trained

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    const GradTarget dx = dout.rows == 0 ? GradTarget{} : ex.gradient_of(x);
    if (!dx) return;
    SM_CHECK(dx.stride == x.cols, "[rms_norm] a whole activation expected, a view of columns given");
    const OpZone zone(ex, kOp, elementwise_cost(x.size(), 10, 4));
    chunked_sums(ex, x.rows, x.cols, dweight, [&](Index begin, Index end, float* partial) {
      ex.kernels().rms_norm_backward(dout.row(begin), x.row(begin), x.stride, weight, rstd + begin,
                                     end - begin, x.cols, dx.data + begin * dx.stride, dx.accumulate,
                                     partial);
    });
  }
};

}  // namespace

Tensor rms_norm(Exec& ex, const Tensor& x, const Param& weight, float eps) {
  SM_CHECK(weight.cols == x.cols, "[rms_norm] a weight of {} expected, {} given", x.cols, weight.cols);
  const OpZone zone(ex, Op::rms_norm, [&] { return rms_norm_cost(x.size()); });
  const Tensor out = ex.make(x.rows, x.cols);
  float* rstd = ex.recording() ? ex.save<float>(x.rows) : nullptr;
  ex.parallel(x.rows, row_grain(x.cols), [&](Index begin, Index end) {
    ex.kernels().rms_norm(x.row(begin), x.stride, weight.data, eps, end - begin, x.cols, out.row(begin),
                          out.stride, rstd == nullptr ? nullptr : rstd + begin);
  });
  ex.record(RmsNormBackward{x, out, weight.data, rstd, weight.grad});
  return out;
}

}  // namespace smallmind
