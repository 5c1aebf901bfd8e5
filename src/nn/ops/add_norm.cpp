// add_layer_norm, add_rms_norm: h = a + b and y = norm(h) in one pass over memory.
//
// Backward: dh += the norm's gradient at h, in one pass; then da += dh, db += dh.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

template <Op kForm>
struct AddNormBackward {
  static constexpr Op kOp = kForm;
  static constexpr bool kLayer = kForm == Op::add_layer_norm;
  Tensor a, b, sum, normed;
  const float *weight, *mean, *rstd;  // mean: of LayerNorm only
  float *dweight, *dbias;             // null where not trained

  void norm_backward(Exec& ex, const Tensor& dout, const GradTarget& dh) const {
    const KernelTable& kernels = ex.kernels();
    ScratchScope scratch(ex);
    const Index cols = sum.cols, width = kLayer ? 2 * cols : cols;
    float* sums = ex.scratch(width);  // dweight, then dbias
    if (sums != nullptr) std::memset(sums, 0, static_cast<std::size_t>(width) * sizeof(float));
    chunked_sums(ex, sum.rows, width, sums, [&](Index begin, Index end, float* partial) {
      float* to = dh.data + begin * dh.stride;
      if constexpr (kLayer) {
        kernels.layer_norm_backward(dout.row(begin), sum.row(begin), sum.stride, weight, mean + begin,
                                    rstd + begin, end - begin, cols, to, dh.accumulate, partial,
                                    partial + cols);
      } else {
        kernels.rms_norm_backward(dout.row(begin), sum.row(begin), sum.stride, weight, rstd + begin,
                                  end - begin, cols, to, dh.accumulate, partial);
      }
    });
    if (ex.measuring()) return;
    if (dweight != nullptr) kernels.axpy(1.0f, sums, cols, dweight);
    if (dbias != nullptr) kernels.axpy(1.0f, sums + cols, cols, dbias);
  }

  void backward(Exec& ex) const {
    const OpZone zone(ex, kOp, elementwise_cost(sum.size(), 15, 6));
    if (const Tensor dout = ex.incoming(normed); dout.rows != 0)
      if (const GradTarget dh = ex.gradient_of(sum); dh) norm_backward(ex, dout, dh);
    const Tensor dsum = ex.incoming(sum);
    if (dsum.rows == 0) return;
    add_rows(ex, dsum, ex.gradient_of(a));
    add_rows(ex, dsum, ex.gradient_of(b));
  }
};

// What both forms share; `kernel` runs over a range of rows.
template <Op kForm, typename Kernel>
ResidualNorm add_norm(Exec& ex, const Tensor& a, const Tensor& b, const Param& weight, const Param* bias,
                      const Kernel& kernel) {
  SM_CHECK(a.rows == b.rows && a.cols == b.cols && a.stride == a.cols && b.stride == b.cols,
           "[{}] two whole tensors of one shape expected, ({}, {}) and ({}, {}) given", op_name(kForm),
           a.rows, a.cols, b.rows, b.cols);
  SM_CHECK(weight.cols == a.cols, "[{}] a weight of {} expected, {} given", op_name(kForm), a.cols,
           weight.cols);
  const OpZone zone(ex, kForm, [&] { return elementwise_cost(a.size(), 9, 4); });
  const Tensor sum = ex.recording() ? ex.make(a.rows, a.cols) : a;
  const Tensor normed = ex.make(a.rows, a.cols);
  float* mean = ex.recording() && bias != nullptr ? ex.save<float>(a.rows) : nullptr;
  float* rstd = ex.recording() ? ex.save<float>(a.rows) : nullptr;
  ex.parallel(a.rows, row_grain(a.cols), [&](Index begin, Index end) {
    kernel(begin, end, sum, normed, mean == nullptr ? nullptr : mean + begin,
           rstd == nullptr ? nullptr : rstd + begin);
  });
  ex.record(AddNormBackward<kForm>{a, b, sum, normed, weight.data, mean, rstd, weight.grad,
                                   bias == nullptr ? nullptr : bias->grad});
  return {sum, normed};
}

}  // namespace

ResidualNorm add_layer_norm(Exec& ex, const Tensor& a, const Tensor& b, const Param& weight,
                            const Param& bias, float eps) {
  return add_norm<Op::add_layer_norm>(
      ex, a, b, weight, &bias,
      [&](Index begin, Index end, const Tensor& sum, const Tensor& normed, float* mean, float* rstd) {
        ex.kernels().add_layer_norm(a.row(begin), b.row(begin), weight.data, bias.data, eps, end - begin,
                                    a.cols, sum.row(begin), normed.row(begin), mean, rstd);
      });
}

ResidualNorm add_rms_norm(Exec& ex, const Tensor& a, const Tensor& b, const Param& weight, float eps) {
  return add_norm<Op::add_rms_norm>(
      ex, a, b, weight, nullptr,
      [&](Index begin, Index end, const Tensor& sum, const Tensor& normed, float*, float* rstd) {
        ex.kernels().add_rms_norm(a.row(begin), b.row(begin), weight.data, eps, end - begin, a.cols,
                                  sum.row(begin), normed.row(begin), rstd);
      });
}

}  // namespace smallmind
