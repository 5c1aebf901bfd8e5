// Threaded products: the one place where nn/ calls the gemm kernels.
//
// C(m, n) = A(m, k) B(k, n) [+ C] [+ bias] [+ residual], and an activation of it if wanted, with A row-major
// or transposed and B packed, row-major or transposed. Threads partition output tiles, and every output is
// one chain over ascending k, so that results depend on neither the number of threads nor on m.
//
// The three products of a Linear layer, y = x W^T with W (out, in) over N rows:
//   forward  A = x (row-major)                          B = W^T: b_k_stride 1, b_n_stride in
//   dx       A = dout (row-major)                       B = W:   b_k_stride in, b_n_stride 1
//   dW       A = dout^T: a_row_stride 1, a_k_stride out B = x:   b_k_stride in, b_n_stride 1, accumulated
//
// Thread safety: as the pool's, one caller at a time. Nothing allocates.
#pragma once

#include <cstddef>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "nn/panels.h"

namespace smallmind {

struct Product {
  Index m = 0, n = 0, k = 0;
  const float* a = nullptr;  // element (i, p) at a[i * a_row_stride + p * a_k_stride]; one stride is 1
  Index a_row_stride = 0, a_k_stride = 1;
  float* c = nullptr;  // element (i, j) at c[i * c_stride + j]
  Index c_stride = 0;
  const float* bias = nullptr;  // (n) or null
  bool accumulate = false;      // add to what C holds
  // Added last: element (i, j) at residual[i * residual_stride + j], or null. It may be C itself where the
  // product is_one_pass().
  const float* residual = nullptr;
  Index residual_stride = 0;
  // An elementwise kernel, or null: activated = activation(C), in the same shape; `activated` may be C
  // itself.
  void (*activation)(const float* x, Index n, float* out) noexcept = nullptr;
  float* activated = nullptr;
  Index activated_stride = 0;
};

// A norm of the rows of A, in the region of the product itself: every thread that multiplies makes them
// for itself. For a few rows that takes as long as one thread that makes them for all, and is an op less.
struct RowNorm {
  const float *weight = nullptr, *bias = nullptr;  // (k); without a bias it is RMSNorm, else LayerNorm
  float eps = 0;
  float* rows = nullptr;  // (threads, m, k)
};

// Bytes of a packed B(k, n).
std::size_t packed_bytes(const KernelTable& kernels, Index k, Index n, DType type = DType::f32);

// Packs B(k, n), element (p, j) at b[p * b_k_stride + j * b_n_stride], into packed_bytes(kernels, k, n, type)
// bytes, rounding to nearest where `type` is f16 or bf16.
void pack_matrix(ThreadPool& pool, const KernelTable& kernels, const float* b, Index b_k_stride,
                 Index b_n_stride, Index k, Index n, void* panels, DType type = DType::f32);

// B packed; 16-bit panels need a row-major A, and so does a norm.
void matmul_packed(ThreadPool& pool, const KernelTable& kernels, const Product& product, Panels panels,
                   const RowNorm* norm = nullptr);

// Whether matmul_packed reads each row of A once, so that C is written only when complete.
inline bool is_one_pass(const KernelTable& kernels, const Product& product) {
  return product.m <= kernels.slab_rows;
}

// Floats of scratch that matmul() needs for this shape: a block of B (half an L2) for each thread, or 0 where
// B is used in place.
Index matmul_scratch_floats(const ThreadPool& pool, const KernelTable& kernels, const Product& product,
                            Index b_n_stride);

// B plain: element (p, j) at b[p * b_k_stride + j * b_n_stride]; one of the strides is 1. `scratch` has
// matmul_scratch_floats(...) floats.
void matmul(ThreadPool& pool, const KernelTable& kernels, const Product& product, const float* b,
            Index b_k_stride, Index b_n_stride, float* scratch);

}  // namespace smallmind
