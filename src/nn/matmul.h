// Threaded products: the one place where nn/ calls the gemm kernels.
//
// C(m, n) = A(m, k) B(k, n) [+ C] [+ bias], with A row-major or transposed and B packed, row-major or
// transposed. Threads partition output tiles, and every output is one chain over ascending k, so that results
// depend on neither the number of threads nor on m.
#pragma once

#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace smallmind {

struct Product {
  Index m = 0, n = 0, k = 0;
  const float* a = nullptr;  // element (i, p) at a[i * a_row_stride + p * a_k_stride]
  Index a_row_stride = 0, a_k_stride = 1;
  float* c = nullptr;  // element (i, j) at c[i * c_stride + j]
  Index c_stride = 0;
  const float* bias = nullptr;  // (n) or null
  bool accumulate = false;
};

// Floats of a packed B(k, n).
Index packed_floats(const KernelTable& kernels, Index k, Index n);

// Packs B(k, n), element (p, j) at b[p * b_k_stride + j * b_n_stride].
void pack_matrix(ThreadPool& pool, const KernelTable& kernels, const float* b, Index b_k_stride,
                 Index b_n_stride, Index k, Index n, float* panels);

// B packed by pack_matrix.
void matmul_packed(ThreadPool& pool, const KernelTable& kernels, const Product& product, const float* panels);

// B plain: element (p, j) at b[p * b_k_stride + j * b_n_stride]; one of the strides is 1. `scratch` holds
// matmul_scratch_floats(...) floats.
Index matmul_scratch_floats(const KernelTable& kernels, const Product& product, Index b_k_stride,
                            Index b_n_stride);
void matmul(ThreadPool& pool, const KernelTable& kernels, const Product& product, const float* b,
            Index b_k_stride, Index b_n_stride, float* scratch);

}  // namespace smallmind
