// layer_norm: out = (x - mean) rstd w + b over each row, rstd = 1 / sqrt(var + eps).
//
// Backward, with xhat = (x - mean) rstd and g = dout w:
//   dx = rstd (g - mean(g) - xhat mean(g xhat)),  dw = sum over rows of dout xhat,  db = sum over rows of
//   dout.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct LayerNormBackward {
  static constexpr Op kOp = Op::layer_norm;
  Tensor x, out;
  const float *weight, *mean, *rstd;
  float *dweight, *dbias;  // null where not trained

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    const GradTarget dx = dout.rows == 0 ? GradTarget{} : ex.gradient_of(x);
    if (!dx) return;
    SM_CHECK(dx.stride == x.cols, "[layer_norm] a whole activation expected, a view of columns given");
    const OpZone zone(ex, kOp, elementwise_cost(x.size(), 14, 4));
    ScratchScope scratch(ex);
    const Index width = 2 * x.cols;
    float* sums = ex.scratch(width);  // dweight, then dbias
    if (sums != nullptr) std::memset(sums, 0, static_cast<std::size_t>(width) * sizeof(float));
    chunked_sums(ex, x.rows, width, sums, [&](Index begin, Index end, float* partial) {
      ex.kernels().layer_norm_backward(dout.row(begin), x.row(begin), x.stride, weight, mean + begin,
                                       rstd + begin, end - begin, x.cols, dx.data + begin * dx.stride,
                                       dx.accumulate, partial, partial + x.cols);
    });
    if (ex.measuring()) return;
    if (dweight != nullptr) ex.kernels().axpy(1.0f, sums, x.cols, dweight);
    if (dbias != nullptr) ex.kernels().axpy(1.0f, sums + x.cols, x.cols, dbias);
  }
};

}  // namespace

Tensor layer_norm(Exec& ex, const Tensor& x, const Param& weight, const Param& bias, float eps) {
  SM_CHECK(weight.cols == x.cols, "[layer_norm] a weight of {} expected, {} given", x.cols, weight.cols);
  const OpZone zone(ex, Op::layer_norm, [&] { return layer_norm_cost(x.size()); });
  const Tensor out = ex.make(x.rows, x.cols);
  float* mean = ex.recording() ? ex.save<float>(x.rows) : nullptr;
  float* rstd = ex.recording() ? ex.save<float>(x.rows) : nullptr;
  ex.parallel(x.rows, row_grain(x.cols), [&](Index begin, Index end) {
    ex.kernels().layer_norm(x.row(begin), x.stride, weight.data, bias.data, eps, end - begin, x.cols,
                            out.row(begin), out.stride, mean == nullptr ? nullptr : mean + begin,
                            rstd == nullptr ? nullptr : rstd + begin);
  });
  ex.record(LayerNormBackward{x, out, weight.data, mean, rstd, weight.grad, bias.grad});
  return out;
}

Tensor norm(Exec& ex, const Tensor& x, const Norm& norm) {
  if (norm.bias == nullptr) return rms_norm(ex, x, norm.weight, norm.eps);
  return layer_norm(ex, x, norm.weight, *norm.bias, norm.eps);
}

}  // namespace smallmind
