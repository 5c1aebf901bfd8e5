// linear: y = x W^T + b, x (N, in), W (out, in).
//
// Backward:  dx = dy W,  dW += dy^T x,  db += sum over rows of dy.
#include "nn/matmul.h"
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

// C = A B with B(k, n) plain, packed into scratch where the product wants it.
void multiply(Exec& ex, const Product& product, const float* b, Index b_k_stride, Index b_n_stride) {
  ScratchScope scratch(ex);
  float* panels = ex.scratch(matmul_scratch_floats(ex.kernels(), product, b_k_stride, b_n_stride));
  if (!ex.measuring()) matmul(ex.pool(), ex.kernels(), product, b, b_k_stride, b_n_stride, panels);
}

struct LinearBackward {
  static constexpr Op kOp = Op::linear;
  Tensor x, y;
  const float* weight;
  float *dweight, *dbias;  // null where not trained

  void backward(Exec& ex) const {
    const Tensor dy = ex.incoming(y);
    if (dy.rows == 0) return;
    const GradTarget dx = ex.gradient_of(x);
    const std::int64_t products = (dx ? 1 : 0) + (dweight == nullptr ? 0 : 1);
    const OpZone zone(ex, kOp, products * product_cost(dy.rows, dy.cols, x.cols));
    if (dx) {
      multiply(ex,
               {.m = dy.rows,
                .n = x.cols,
                .k = dy.cols,
                .a = dy.data,
                .a_row_stride = dy.stride,
                .c = dx.data,
                .c_stride = dx.stride,
                .accumulate = dx.accumulate},
               weight, x.cols, 1);
    }
    if (dweight != nullptr)
      multiply(ex,
               {.m = dy.cols,
                .n = x.cols,
                .k = dy.rows,
                .a = dy.data,
                .a_row_stride = 1,
                .a_k_stride = dy.stride,
                .c = dweight,
                .c_stride = x.cols,
                .accumulate = true},
               x.data, x.stride, 1);
    if (dbias == nullptr) return;
    ex.parallel(dy.cols, std::max<Index>(16, kElementGrain / std::max<Index>(1, dy.rows)),
                [&](Index begin, Index end) {
                  ex.kernels().column_sums(dy.data + begin, dy.stride, dy.rows, end - begin, dbias + begin);
                });
  }
};

}  // namespace

Tensor linear(Exec& ex, const Tensor& x, const Param& weight, const Param& bias) {
  SM_CHECK(weight.cols == x.cols, "[linear] {} expects {} inputs, {} given", weight.name, weight.cols,
           x.cols);
  SM_CHECK(!bias.exists() || bias.cols == weight.rows, "[linear] {} expects {} outputs, {} given", bias.name,
           bias.cols, weight.rows);
  const OpZone zone(ex, Op::linear, product_cost(x.rows, weight.rows, x.cols));
  const Tensor y = ex.make(x.rows, weight.rows);
  const Product product{.m = x.rows,
                        .n = weight.rows,
                        .k = x.cols,
                        .a = x.data,
                        .a_row_stride = x.stride,
                        .c = y.data,
                        .c_stride = y.stride,
                        .bias = bias.data};
  if (weight.panels == nullptr)
    multiply(ex, product, weight.data, 1, weight.cols);
  else if (!ex.measuring())
    matmul_packed(ex.pool(), ex.kernels(), product, weight.panels);
  ex.record(LinearBackward{x, y, weight.data, weight.grad, bias.grad});
  return y;
}

Tensor linear(Exec& ex, const Tensor& x, const Param& weight) {
  return linear(ex, x, weight, Param{});
}

}  // namespace smallmind
