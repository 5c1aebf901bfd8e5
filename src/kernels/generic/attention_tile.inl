// The micro-kernel of attention: C(rows, cols) = A(rows, depth) B(depth, cols), all five products of forward
// and backward.
//
// B is seen as panels of 16 columns: column j of row p lies at
//   b[(j / 16) * b_panel_stride + p * b_k_stride + j % 16].
// Packed keys have b_panel_stride 16 K and b_k_stride 16; a row-major matrix has b_panel_stride 16 and its
// own b_k_stride. A tile keeps kTileRows x kTileVectors accumulators in registers: 6 x 4 + 4 + 1 of 32 in
// AVX-512, 6 x 2 + 2 + 1 of 16 in AVX2; per step of depth 10 (8) loads feed 24 (12) multiply-adds, so the two
// FMA ports stay the limit. Each output is one chain over ascending depth whatever the tile, so its bits do
// not depend on how many rows share the call.
//
// The including file provides vec.h of its instruction set and kTileVectors.

#define SM_UNROLL _Pragma("GCC unroll 8")

namespace smallmind {
namespace {

constexpr Index kTileRows = 6;
constexpr int kPanelVectors = static_cast<int>(kKeyPanel) / static_cast<int>(kWidth);
// A single row has only kTileVectors chains in flight, too few for 2 ports x 4 cycles of latency: it takes
// wider tiles.
constexpr int kLoneVectors = 8;

struct Product {
  Index rows, cols, depth;
  const float* a;  // element (i, p) at a[i * a_row_stride + p * a_k_stride]
  Index a_row_stride, a_k_stride;
  const float* b;
  Index b_panel_stride, b_k_stride;
  float* c;  // (rows, cols)
  Index c_stride;
  bool accumulate = false;  // the chain starts from C's value rather than zero; then neither of the following
  const float* factors = nullptr;  // (rows) or null: the chain + factor * earlier
  const float* earlier = nullptr;  // (rows, cols), read where there are factors
  Index earlier_stride = 0;
  const float* scales = nullptr;  // (rows) or null: the result times this
};

// One tile at row `row` and column `col`; the last vector of a kPartial tile has only `lanes` columns. What
// few products ask for stands behind one branch each: a short context has many small tiles, whose ends cost
// as much as their middle.
template <int kRows, int kVectors, bool kPartial>
void product_tile(const Product& x, Index row, Index col, Index lanes) {
  const auto load_at = [&](const float* p, int j) {
    return kPartial && j == kVectors - 1 ? load_n(p + j * kWidth, lanes) : load(p + j * kWidth);
  };
  const Index depth = x.depth, c_stride = x.c_stride;
  float* const c = x.c + row * c_stride + col;
  Vec sum[kRows][kVectors];
  SM_UNROLL for (int i = 0; i < kRows; ++i) {
    SM_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] = zero();
  }
  if (x.accumulate) {
    const float* from = c;
    SM_UNROLL for (int i = 0; i < kRows; ++i, from += c_stride) {
      SM_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] = load_at(from, j);
    }
  }
  const Index b_panel_stride = x.b_panel_stride, b_k_stride = x.b_k_stride;
  const Index a_row_stride = x.a_row_stride, a_k_stride = x.a_k_stride;
  const float* a = x.a + row * a_row_stride;
  const float* b = x.b + col / kKeyPanel * b_panel_stride + col % kKeyPanel;
  for (Index p = 0; p < depth; ++p) {
    Vec bv[kVectors];
    SM_UNROLL for (int j = 0; j < kVectors; ++j) {
      const float* from = b + j / kPanelVectors * b_panel_stride + j % kPanelVectors * kWidth;
      bv[j] = kPartial && j == kVectors - 1 ? load_n(from, lanes) : load(from);
    }
    SM_UNROLL for (int i = 0; i < kRows; ++i) {
      const Vec av = set(a[i * a_row_stride]);
      SM_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] = mul_add(av, bv[j], sum[i][j]);
    }
    a += a_k_stride;
    b += b_k_stride;
  }
  if (x.factors != nullptr) {
    const float *factors = x.factors + row, *from = x.earlier + row * x.earlier_stride + col;
    SM_UNROLL for (int i = 0; i < kRows; ++i, from += x.earlier_stride) {
      const Vec factor = set(factors[i]);
      SM_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] = mul_add(load_at(from, j), factor, sum[i][j]);
    }
  }
  if (x.scales != nullptr) {
    const float* scales = x.scales + row;
    SM_UNROLL for (int i = 0; i < kRows; ++i) {
      const Vec scale = set(scales[i]);
      SM_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] = sum[i][j] * scale;
    }
  }
  float* to = c;
  SM_UNROLL for (int i = 0; i < kRows; ++i, to += c_stride) {
    SM_UNROLL for (int j = 0; j < kVectors; ++j) {
      if (kPartial && j == kVectors - 1) {
        store_n(to + j * kWidth, sum[i][j], lanes);
      } else {
        store(to + j * kWidth, sum[i][j]);
      }
    }
  }
}

// All columns of kRows rows from `row` on.
template <int kRows>
void product_rows(const Product& x, Index row) {
  constexpr int kWidest = kRows == 1 ? kLoneVectors : kTileVectors;
  Index col = 0;
  for (; col + kWidest * kWidth <= x.cols; col += kWidest * kWidth)
    product_tile<kRows, kWidest, false>(x, row, col, kWidth);
  if constexpr (kWidest > 4) {
    if (col + 4 * kWidth <= x.cols) {
      product_tile<kRows, 4, false>(x, row, col, kWidth);
      col += 4 * kWidth;
    }
  }
  if constexpr (kWidest > 2) {
    if (col + 3 * kWidth <= x.cols && kPanelVectors < 3) {
      product_tile<kRows, 3, false>(x, row, col, kWidth);
      col += 3 * kWidth;
    }
    if (col + 2 * kWidth <= x.cols) {
      product_tile<kRows, 2, false>(x, row, col, kWidth);
      col += 2 * kWidth;
    }
  }
  for (; col + kWidth <= x.cols; col += kWidth) product_tile<kRows, 1, false>(x, row, col, kWidth);
  if (col < x.cols) product_tile<kRows, 1, true>(x, row, col, x.cols - col);
}

void multiply(const Product& x) {
  Index row = 0;
  for (; row + kTileRows <= x.rows; row += kTileRows) product_rows<kTileRows>(x, row);
  switch (x.rows - row) {
    case 5:
      return product_rows<5>(x, row);
    case 4:
      return product_rows<4>(x, row);
    case 3:
      return product_rows<3>(x, row);
    case 2:
      return product_rows<2>(x, row);
    case 1:
      return product_rows<1>(x, row);
    default:
      return;
  }
}

}  // namespace
}  // namespace smallmind
