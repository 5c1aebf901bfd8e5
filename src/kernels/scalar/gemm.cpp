// f32 products in portable C++: the meaning of pack_panels and gemm, and the path of CPUs without AVX2.
//
// A tile is 4 rows x 8 columns: 8 accumulators of SSE, which the compiler makes of the loops over columns.
// The chains are those of kernels.h; without FMA instructions each step rounds twice.
#include "kernels/kernels.h"
#include "kernels/overrides.h"
#include "kernels/scalar/vec.h"
#include "tensor/half.h"

namespace smallmind {
namespace {

constexpr Index kPanel = 8;
constexpr Index kTileRows = 4;

Index min(Index x, Index y) {
  return x < y ? x : y;
}

void pack_panels(const float* b, Index k_stride, Index n_stride, Index k, Index n, float* panels) noexcept {
  for (Index j = 0; j < n; j += kPanel) {
    const Index columns = min(kPanel, n - j);
    for (Index p = 0; p < k; ++p) {
      for (Index c = 0; c < kPanel; ++c)
        *panels++ = c < columns ? b[p * k_stride + (j + c) * n_stride] : 0.0F;
    }
  }
}

// The elements of B as they are stored, and one of them as f32.
struct StoredF32 {
  using Element = float;
  static float value(float x) { return x; }
};
struct StoredF16 {
  using Element = std::uint16_t;
  static float value(std::uint16_t x) { return f16_to_f32(x); }
};
struct StoredBf16 {
  using Element = std::uint16_t;
  static float value(std::uint16_t x) { return bf16_to_f32(x); }
};

// Rows i .. i + kCount of panel q.
template <class B, Index kCount>
void tile(const GemmArgs& g, Index i, Index q) noexcept {
  const Index j = q * kPanel, columns = min(kPanel, g.n - j);
  float acc[kCount][kPanel] = {};
  if (g.accumulate) {
    for (Index r = 0; r < kCount; ++r) {
      for (Index c = 0; c < columns; ++c) acc[r][c] = g.c[(i + r) * g.c_stride + j + c];
    }
  }
  const float* a = g.a + i * g.a_row_stride;
  const auto* b = static_cast<const typename B::Element*>(g.b) + q * g.b_panel_stride;
  for (Index p = 0; p < g.k; ++p, a += g.a_k_stride, b += g.b_k_stride) {
    float w[kPanel] = {};
    if (columns == kPanel && g.b_n_stride == 1) {
      for (Index c = 0; c < kPanel; ++c) w[c] = B::value(b[c]);
    } else {
      for (Index c = 0; c < columns; ++c) w[c] = B::value(b[c * g.b_n_stride]);
    }
    for (Index r = 0; r < kCount; ++r) {
      const float x = a[r * g.a_row_stride];
      for (Index c = 0; c < kPanel; ++c) acc[r][c] = mul_add(x, w[c], acc[r][c]);
    }
  }
  for (Index r = 0; r < kCount; ++r) {
    float* out = g.c + (i + r) * g.c_stride + j;
    const float* residual = g.residual != nullptr ? g.residual + (i + r) * g.residual_stride + j : nullptr;
    for (Index c = 0; c < columns; ++c) {
      const float sum = g.bias != nullptr ? acc[r][c] + g.bias[j + c] : acc[r][c];
      out[c] = residual != nullptr ? sum + residual[c] : sum;
    }
  }
}

template <class B>
void multiply(const GemmArgs& g) noexcept {
  const Index panels = (g.n + kPanel - 1) / kPanel;
  for (Index q = 0; q < panels; ++q) {
    Index i = 0;
    for (; i + kTileRows <= g.m; i += kTileRows) tile<B, kTileRows>(g, i, q);
    for (; i < g.m; ++i) tile<B, 1>(g, i, q);
  }
}

void gemm(const GemmArgs& g) noexcept {
  if (g.n <= 0) return;
  if (g.b_type == DType::f16)
    multiply<StoredF16>(g);
  else if (g.b_type == DType::bf16)
    multiply<StoredBf16>(g);
  else
    multiply<StoredF32>(g);
  if (g.activation == nullptr) return;
  for (Index i = 0; i < g.m; ++i)
    g.activation(g.c + i * g.c_stride, g.n, g.activated + i * g.activated_stride);
}

}  // namespace

void override_scalar_gemm(KernelTable& table) noexcept {
  table.panel_width = kPanel;
  table.pack_panels = pack_panels;
  table.slab_rows = kTileRows;
  table.block_floats = 1;  // it reads B where it lies
  table.gemm = gemm;
}

}  // namespace smallmind
