// Activations, arithmetic and transcendental functions over n contiguous elements: one line each over
// loops.inl.
#pragma once

#include "kernels/generic/loops.inl"
#include "kernels/generic/math.inl"

namespace smallmind {
namespace {

void gelu_tanh_n(const float* x, Index n, float* out) noexcept {
  map(x, n, out, [](Vec v) { return gelu_tanh(v); });
}

void gelu_tanh_backward_n(const float* dout, const float* x, Index n, float* dx, bool accumulate) noexcept {
  map_gradient(dout, x, n, dx, accumulate, [](Vec d, Vec v) { return d * gelu_tanh_slope(v); });
}

void gelu_erf_n(const float* x, Index n, float* out) noexcept {
  map(x, n, out, [](Vec v) { return gelu_erf(v); });
}

void gelu_erf_backward_n(const float* dout, const float* x, Index n, float* dx, bool accumulate) noexcept {
  map_gradient(dout, x, n, dx, accumulate, [](Vec d, Vec v) { return d * gelu_erf_slope(v); });
}

void silu_n(const float* x, Index n, float* out) noexcept {
  map(x, n, out, [](Vec v) { return silu(v); });
}

void swiglu_n(const float* gate, const float* up, Index n, float* out) noexcept {
  map(gate, up, n, out, [](Vec g, Vec u) { return silu(g) * u; });
}

// out = g s(g) u: dgate = dout u s (1 + g (1 - s)), dup = dout g s.
template <bool kAccumulate>
[[gnu::always_inline]] inline void swiglu_gradient(Vec d, Vec g, Vec u, Vec& dgate, Vec& dup) {
  const Vec bounded = max(set(kSiluLow), g);
  const Sigmoid s = sigmoid(bounded * set(-kLog2E));
  const Vec ds = d * s.value;
  const Vec gate_slope = mul_add(bounded, s.complement, set(1.0f));
  dgate = kAccumulate ? mul_add(ds * u, gate_slope, dgate) : ds * u * gate_slope;
  dup = kAccumulate ? mul_add(ds, bounded, dup) : ds * bounded;
}

template <bool kAccumulate>
[[gnu::flatten]] void swiglu_backward_loop(const float* dout, const float* gate, const float* up, Index n,
                                           float* dgate, float* dup) {
  Index i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    Vec dg = kAccumulate ? load(dgate + i) : zero(), du = kAccumulate ? load(dup + i) : zero();
    swiglu_gradient<kAccumulate>(load(dout + i), load(gate + i), load(up + i), dg, du);
    store(dgate + i, dg);
    store(dup + i, du);
  }
  if (const Index rest = n - i; rest > 0) {
    Vec dg = load_n(dgate + i, kAccumulate ? rest : 0), du = load_n(dup + i, kAccumulate ? rest : 0);
    swiglu_gradient<kAccumulate>(load_n(dout + i, rest), load_n(gate + i, rest), load_n(up + i, rest), dg,
                                 du);
    store_n(dgate + i, dg, rest);
    store_n(dup + i, du, rest);
  }
}

void swiglu_backward_n(const float* dout, const float* gate, const float* up, Index n, float* dgate,
                       float* dup, bool accumulate) noexcept {
  if (accumulate) {
    swiglu_backward_loop<true>(dout, gate, up, n, dgate, dup);
  } else {
    swiglu_backward_loop<false>(dout, gate, up, n, dgate, dup);
  }
}

void add_n(const float* a, const float* b, Index n, float* out) noexcept {
  map(a, b, n, out, [](Vec u, Vec v) { return u + v; });
}

void mul_n(const float* a, const float* b, Index n, float* out) noexcept {
  map(a, b, n, out, [](Vec u, Vec v) { return u * v; });
}

void relu_n(const float* x, Index n, float* out) noexcept {
  map(x, n, out, [](Vec v) { return max(zero(), v); });
}

void relu_backward_n(const float* dout, const float* x, Index n, float* dx, bool accumulate) noexcept {
  map_gradient(dout, x, n, dx, accumulate, [](Vec d, Vec v) { return select(less(zero(), v), d, zero()); });
}

void scale_n(const float* x, float factor, Index n, float* out) noexcept {
  map(x, n, out, [f = set(factor)](Vec v) { return v * f; });
}

void axpy_n(float factor, const float* x, Index n, float* y) noexcept {
  map(x, y, n, y, [f = set(factor)](Vec v, Vec sum_so_far) { return mul_add(v, f, sum_so_far); });
}

void exp_n(const float* x, Index n, float* out) noexcept {
  map(x, n, out, [](Vec v) { return exp(v); });
}

void tanh_n(const float* x, Index n, float* out) noexcept {
  map(x, n, out, [](Vec v) { return tanh(v); });
}

void erf_n(const float* x, Index n, float* out) noexcept {
  map(x, n, out, [](Vec v) { return erf(v); });
}

void install_elementwise(KernelTable& table) noexcept {
  table.gelu_tanh = gelu_tanh_n;
  table.gelu_tanh_backward = gelu_tanh_backward_n;
  table.gelu_erf = gelu_erf_n;
  table.gelu_erf_backward = gelu_erf_backward_n;
  table.silu = silu_n;
  table.swiglu = swiglu_n;
  table.swiglu_backward = swiglu_backward_n;
  table.add = add_n;
  table.mul = mul_n;
  table.relu = relu_n;
  table.relu_backward = relu_backward_n;
  table.scale = scale_n;
  table.axpy = axpy_n;
  table.exp = exp_n;
  table.tanh = tanh_n;
  table.erf = erf_n;
}

}  // namespace
}  // namespace smallmind
