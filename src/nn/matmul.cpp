// Threaded products; see matmul.h.
#include "nn/matmul.h"

#include <algorithm>

namespace smallmind {
namespace {

Index panel_count(const KernelTable& kernels, Index n) {
  return (n + kernels.panel_width - 1) / kernels.panel_width;
}

}  // namespace

Index packed_floats(const KernelTable& kernels, Index k, Index n) {
  return panel_count(kernels, n) * kernels.panel_width * k;
}

void pack_matrix(ThreadPool&, const KernelTable& kernels, const float* b, Index b_k_stride, Index b_n_stride,
                 Index k, Index n, float* panels) {
  kernels.pack_panels(b, b_k_stride, b_n_stride, k, n, panels);
}

void matmul_packed(ThreadPool& pool, const KernelTable& kernels, const Product& p, const float* panels) {
  const Index count = panel_count(kernels, p.n);
  pool.run([&](int thread) {
    const Index first = count * thread / pool.size(), last = count * (thread + 1) / pool.size();
    if (first >= last) return;
    const Index column = first * kernels.panel_width;
    const Index columns = std::min(p.n, last * kernels.panel_width) - column;
    kernels.gemm({p.m, columns, p.k, p.a, p.a_row_stride, p.a_k_stride,
                  panels + first * p.k * kernels.panel_width, p.k * kernels.panel_width, kernels.panel_width,
                  p.c + column, p.c_stride, p.bias == nullptr ? nullptr : p.bias + column, p.accumulate});
  });
}

Index matmul_scratch_floats(const KernelTable& kernels, const Product& product, Index, Index) {
  return packed_floats(kernels, product.k, product.n);
}

void matmul(ThreadPool& pool, const KernelTable& kernels, const Product& product, const float* b,
            Index b_k_stride, Index b_n_stride, float* scratch) {
  pack_matrix(pool, kernels, b, b_k_stride, b_n_stride, product.k, product.n, scratch);
  matmul_packed(pool, kernels, product, scratch);
}

}  // namespace smallmind
