// linear: y = x W^T + b, x (N, in), W (out, in); linear_gelu: gelu(y); linear_add: y + residual; norm_linear
// and norm_linear_gelu: of norm(x).
//
// Backward:  dx = dy W,  dW += dy^T x,  db += sum over rows of dy. The fused forms have the bits of their
// parts, values and gradients: they spare passes over (N, out), not roundings.
#include "nn/matmul.h"
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

// C = A B with B(k, n) plain, packed into scratch where the product wants it.
void multiply(Exec& ex, const Product& product, const float* b, Index b_k_stride, Index b_n_stride) {
  ScratchScope scratch(ex);
  float* panels = ex.scratch(matmul_scratch_floats(ex.pool(), ex.kernels(), product, b_n_stride));
  if (!ex.measuring()) matmul(ex.pool(), ex.kernels(), product, b, b_k_stride, b_n_stride, panels);
}

// What the backward passes of all three forms read.
struct LinearSaved {
  Tensor x;
  const float* weight;
  float *dweight, *dbias;  // null where not trained

  OpCost cost(const Tensor& dy) const {
    const std::int64_t products = (x.grad == nullptr ? 0 : 1) + (dweight == nullptr ? 0 : 1);
    return products * product_cost(dy.rows, dy.cols, x.cols);
  }

  void backward(Exec& ex, const Tensor& dy) const {
    if (const GradTarget dx = ex.gradient_of(x)) {
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

struct LinearBackward {
  static constexpr Op kOp = Op::linear;
  LinearSaved saved;
  Tensor y;

  void backward(Exec& ex) const {
    const Tensor dy = ex.incoming(y);
    if (dy.rows == 0) return;
    const OpZone zone(ex, kOp, saved.cost(dy));
    saved.backward(ex, dy);
  }
};

struct LinearGeluBackward {
  static constexpr Op kOp = Op::linear_gelu;
  LinearSaved saved;
  Tensor y, out;  // out = gelu(y)
  GeluForm form;

  void backward(Exec& ex) const {
    const Tensor dy = ex.incoming(out);
    if (dy.rows == 0) return;
    const OpZone zone(ex, kOp, saved.cost(dy) + elementwise_cost(dy.size(), kGeluBackwardFlops, 3));
    const auto kernel =
        form == GeluForm::tanh ? ex.kernels().gelu_tanh_backward : ex.kernels().gelu_erf_backward;
    // In place: nothing reads the gradient of `out` any more.
    ex.parallel(dy.size(), kElementGrain, [&](Index begin, Index end) {
      kernel(dy.data + begin, y.data + begin, end - begin, dy.data + begin, false);
    });
    saved.backward(ex, dy);
  }
};

struct LinearAddBackward {
  static constexpr Op kOp = Op::linear_add;
  LinearSaved saved;
  Tensor residual, out;

  void backward(Exec& ex) const {
    const Tensor dy = ex.incoming(out);
    if (dy.rows == 0) return;
    const OpZone zone(ex, kOp, saved.cost(dy) + elementwise_cost(dy.size(), 0, 2));
    add_rows(ex, dy, ex.gradient_of(residual));
    saved.backward(ex, dy);
  }
};

void check_shapes(const Tensor& x, const Param& weight, const Param& bias) {
  SM_CHECK(weight.cols == x.cols, "[linear] {} expects {} inputs, {} given", weight.name, weight.cols,
           x.cols);
  SM_CHECK(!bias.exists() || bias.cols == weight.rows, "[linear] {} expects {} outputs, {} given", bias.name,
           bias.cols, weight.rows);
}

[[gnu::always_inline]] inline OpCost forward_cost(const Tensor& x, const Param& weight) {
  return product_cost(x.rows, weight.rows, x.cols, weight.panels.type == DType::f32 ? 4 : 2);
}

// y = x W^T + b; epilogues are for the caller to add.
Product forward_product(const Tensor& x, const Param& weight, const Param& bias, const Tensor& y) {
  return {.m = x.rows,
          .n = weight.rows,
          .k = x.cols,
          .a = x.data,
          .a_row_stride = x.stride,
          .c = y.data,
          .c_stride = y.stride,
          .bias = bias.data};
}

// The same with gelu of it in `out`.
Product with_gelu(const Exec& ex, Product product, const Tensor& out, GeluForm form) {
  product.activation = form == GeluForm::tanh ? ex.kernels().gelu_tanh : ex.kernels().gelu_erf;
  product.activated = out.data;
  product.activated_stride = out.stride;
  return product;
}

void multiply_by_weight(Exec& ex, const Product& product, const Param& weight) {
  if (!weight.panels)
    multiply(ex, product, weight.data, 1, weight.cols);
  else if (!ex.measuring())
    matmul_packed(ex.pool(), ex.kernels(), product, weight.panels);
}

// With many rows threads should share the work of the norm. Where to begin is a choice: one row was measured.
constexpr Index kMostNormedRows = 4;

bool norms_inside(const Exec& ex, const Tensor& x, const Param& weight) {
  return !ex.recording() && weight.panels && x.rows <= kMostNormedRows;
}

[[gnu::always_inline]] inline OpCost norm_cost(const Tensor& x, const Norm& norm) {
  return fused_norm_cost(x.size(), norm.bias == nullptr ? kRmsNormFlops : kLayerNormFlops);
}

void multiply_normed(Exec& ex, const Product& product, const Norm& norm, const Param& weight) {
  SM_CHECK(norm.weight.cols == product.k, "[norm_linear] a norm of {} expected, {} given", product.k,
           norm.weight.cols);
  ScratchScope scratch(ex);
  float* rows = ex.scratch(ex.pool().size() * kMostNormedRows * product.k);  // for any number that comes here
  const RowNorm row_norm{norm.weight.data, norm.bias == nullptr ? nullptr : norm.bias->data, norm.eps, rows};
  if (!ex.measuring()) matmul_packed(ex.pool(), ex.kernels(), product, weight.panels, &row_norm);
}

LinearSaved save(const Tensor& x, const Param& weight, const Param& bias) {
  return {x, weight.data, weight.grad, bias.grad};
}

}  // namespace

Tensor linear(Exec& ex, const Tensor& x, const Param& weight, const Param& bias) {
  check_shapes(x, weight, bias);
  const OpZone zone(ex, Op::linear, [&] { return forward_cost(x, weight); });
  const Tensor y = ex.make(x.rows, weight.rows);
  multiply_by_weight(ex, forward_product(x, weight, bias, y), weight);
  ex.record(LinearBackward{save(x, weight, bias), y});
  return y;
}

Tensor linear(Exec& ex, const Tensor& x, const Param& weight) {
  return linear(ex, x, weight, Param{});
}

Tensor linear_gelu(Exec& ex, const Tensor& x, const Param& weight, const Param& bias, GeluForm form) {
  check_shapes(x, weight, bias);
  const OpZone zone(ex, Op::linear_gelu, [&] {
    return forward_cost(x, weight) + fused_gelu_cost(x.rows * weight.rows, ex.recording());
  });
  const Tensor out = ex.make(x.rows, weight.rows);
  const Tensor y = ex.recording() ? ex.make(x.rows, weight.rows) : out;
  multiply_by_weight(ex, with_gelu(ex, forward_product(x, weight, bias, y), out, form), weight);
  ex.record(LinearGeluBackward{save(x, weight, bias), y, out, form});
  return out;
}

Tensor norm_linear(Exec& ex, const Tensor& x, const Norm& norm, const Param& weight, const Param& bias) {
  if (!norms_inside(ex, x, weight)) return linear(ex, smallmind::norm(ex, x, norm), weight, bias);
  check_shapes(x, weight, bias);
  const OpZone zone(ex, Op::norm_linear, [&] { return forward_cost(x, weight) + norm_cost(x, norm); });
  const Tensor y = ex.make(x.rows, weight.rows);
  multiply_normed(ex, forward_product(x, weight, bias, y), norm, weight);
  return y;
}

Tensor norm_linear(Exec& ex, const Tensor& x, const Norm& norm, const Param& weight) {
  return norm_linear(ex, x, norm, weight, Param{});
}

Tensor norm_linear_gelu(Exec& ex, const Tensor& x, const Norm& norm, const Param& weight, const Param& bias,
                        GeluForm form) {
  if (!norms_inside(ex, x, weight)) return linear_gelu(ex, smallmind::norm(ex, x, norm), weight, bias, form);
  check_shapes(x, weight, bias);
  const OpZone zone(ex, Op::norm_linear_gelu, [&] {
    return forward_cost(x, weight) + norm_cost(x, norm) + fused_gelu_cost(x.rows * weight.rows, false);
  });
  const Tensor y = ex.make(x.rows, weight.rows);
  multiply_normed(ex, with_gelu(ex, forward_product(x, weight, bias, y), y, form), norm, weight);
  return y;
}

Tensor linear_add(Exec& ex, const Tensor& x, const Param& weight, const Param& bias, const Tensor& residual) {
  check_shapes(x, weight, bias);
  SM_CHECK(residual.rows == x.rows && residual.cols == weight.rows,
           "[linear_add] a residual ({}, {}) expected, ({}, {}) given", x.rows, weight.rows, residual.rows,
           residual.cols);
  const OpZone zone(ex, Op::linear_add,
                    [&] { return forward_cost(x, weight) + fused_add_cost(residual.size()); });
  Product product = forward_product(x, weight, bias, residual);
  if (ex.recording() || (weight.panels && is_one_pass(ex.kernels(), product))) {
    const Tensor out = ex.recording() ? ex.make(x.rows, weight.rows) : residual;
    product.c = out.data;
    product.c_stride = out.stride;
    product.residual = residual.data;
    product.residual_stride = residual.stride;
    multiply_by_weight(ex, product, weight);
    ex.record(LinearAddBackward{save(x, weight, bias), residual, out});
    return out;
  }
  // Chains of several passes rest in C, which may not be the residual then.
  ScratchScope scratch(ex);
  const Tensor y{ex.scratch(residual.size()), x.rows, weight.rows, weight.rows, nullptr, 0};
  multiply_by_weight(ex, forward_product(x, weight, bias, y), weight);
  add_rows(ex, y, {true, residual.data, residual.stride, true});
  return residual;
}

}  // namespace smallmind
