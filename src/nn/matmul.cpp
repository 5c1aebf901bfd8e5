// Threaded products; see matmul.h.
//
// A product is a grid of tiles of C. Thread t begins with tile t and then takes the next free one from a
// counter: with as many tiles as threads (M = 1) each thread reads the same weights in every step and finds
// them in its L2, and with many tiles a core that a neighbour slows down takes fewer. A tile has at most 512
// x 512 outputs: its first slab waits for blocks of B, and 63 more make up for that. No thread waits for
// another one's packing.
#include "nn/matmul.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "base/error.h"
#include "tensor/half.h"

namespace smallmind {
namespace {

constexpr Index kTileRows = 512;
constexpr Index kTileRowsOfTransposed = 2048;  // each tile packs its columns of B again
constexpr Index kTileColumns = 512;
// Below so many rows the time is that of reading B: each thread reads one range of panels.
constexpr Index kSkinnyRows = 16;
// Rows packed at once: their pages stay in the first-level TLB.
constexpr Index kPackRows = 64;
constexpr Index kMostPanelWidth = 64;
// Up to about 1 us of reading and 0.5 us of arithmetic a second thread gains nothing.
constexpr Index kAloneFloats = Index{32} << 10;
constexpr Index kAloneSteps = Index{64} << 10;

Index ceil_div(Index x, Index y) {
  return (x + y - 1) / y;
}
Index round_up(Index x, Index y) {
  return ceil_div(x, y) * y;
}
// Begin of part i when `total` is spread evenly over `parts`.
Index part(Index total, Index parts, Index i) {
  return total * i / parts;
}

bool runs_alone(const ThreadPool& pool, const GemmArgs& p) {
  return pool.size() == 1 || (p.n * p.k <= kAloneFloats && p.m * p.n * p.k <= kAloneSteps);
}

// How C is cut: into row_parts x panel_parts tiles.
struct Grid {
  Index slabs, panels;  // of slab_rows rows, of panel_width columns
  Index row_parts, panel_parts;
  Index tiles() const { return row_parts * panel_parts; }
};

// The grid whose slowest thread has the least to do: time of a tile = outputs + a fixed cost in outputs.
Grid make_grid(const KernelTable& kernels, const GemmArgs& g, Index threads) {
  constexpr Index kTileCost = 256;
  const Index slabs = ceil_div(g.m, kernels.slab_rows), width = kernels.panel_width,
              panels = ceil_div(g.n, width);
  if (g.m < kSkinnyRows) return {slabs, panels, 1, std::min(panels, threads)};
  const Index most_rows = g.b_n_stride != 1 ? kTileRowsOfTransposed : kTileRows;
  Grid best{slabs, panels, ceil_div(g.m, most_rows), ceil_div(g.n, kTileColumns)};
  if (threads == 1) return best;
  const Index least_rows = best.row_parts;
  const Index least_columns = best.panel_parts, most_columns = std::min(panels, least_columns + threads - 1);
  Index best_time = 0;
  for (Index columns = least_columns; columns <= most_columns; ++columns) {
    const Index least_rounds = ceil_div(least_rows * columns, threads);
    for (Index rounds = least_rounds; rounds <= least_rounds + 3; ++rounds) {
      const Index rows = std::clamp(rounds * threads / columns, least_rows, slabs);
      const Index tile =
          ceil_div(slabs, rows) * kernels.slab_rows * ceil_div(panels, columns) * width + kTileCost;
      const Index time = ceil_div(rows * columns, threads) * tile;
      if (best_time == 0 || time < best_time) {
        best_time = time;
        best = {slabs, panels, rows, columns};
      }
    }
  }
  return best;
}

// Lets the operands of C's shape begin at this row and column.
void move_outputs(GemmArgs& g, Index row, Index column) {
  g.c += row * g.c_stride + column;
  if (g.bias != nullptr) g.bias += column;
  if (g.residual != nullptr) g.residual += row * g.residual_stride + column;
  if (g.activation != nullptr) g.activated += row * g.activated_stride + column;
}

void multiply_tile(const KernelTable& kernels, const GemmArgs& whole, const Grid& grid, Index tile) {
  const Index r = tile / grid.panel_parts, q = tile % grid.panel_parts;
  const Index slab = part(grid.slabs, grid.row_parts, r), row = slab * kernels.slab_rows;
  const Index row_end = std::min(whole.m, part(grid.slabs, grid.row_parts, r + 1) * kernels.slab_rows);
  const Index panel = part(grid.panels, grid.panel_parts, q), width = kernels.panel_width;
  const Index column_end = std::min(whole.n, part(grid.panels, grid.panel_parts, q + 1) * width);
  GemmArgs g = whole;
  g.m = row_end - row;
  g.n = column_end - panel * width;
  g.a += row * g.a_row_stride;
  g.b =
      static_cast<const char*>(g.b) + panel * g.b_panel_stride * static_cast<Index>(dtype_size(whole.b_type));
  move_outputs(g, row, panel * width);
  kernels.gemm(g);
}

// Replaces A by its normed rows in the thread's part of norm.rows.
void norm_rows(const KernelTable& kernels, const RowNorm& norm, int thread, GemmArgs& g) {
  float* rows = norm.rows + thread * g.m * g.k;
  if (norm.bias == nullptr)
    kernels.rms_norm(g.a, g.a_row_stride, norm.weight, norm.eps, g.m, g.k, rows, g.k, nullptr);
  else
    kernels.layer_norm(g.a, g.a_row_stride, norm.weight, norm.bias, norm.eps, g.m, g.k, rows, g.k, nullptr,
                       nullptr);
  g.a = rows;
  g.a_row_stride = g.k;
}

// Tile by tile, each thread in its own scratch of block_floats floats if there is any.
void multiply(ThreadPool& pool, const KernelTable& kernels, const GemmArgs& whole, float* scratch,
              const RowNorm* norm = nullptr) {
  const bool alone = runs_alone(pool, whole);
  const Index threads = alone ? 1 : pool.size();
  const Grid grid = make_grid(kernels, whole, threads);
  std::atomic<Index> next{threads};
  const auto work = [&](int thread) {
    GemmArgs g = whole;
    if (scratch != nullptr) g.b_scratch = scratch + thread * kernels.block_floats;
    if (norm != nullptr && thread < grid.tiles()) norm_rows(kernels, *norm, thread, g);
    for (Index tile = thread; tile < grid.tiles(); tile = next.fetch_add(1, std::memory_order_relaxed))
      multiply_tile(kernels, g, grid, tile);
  };
  if (alone)
    work(0);
  else
    pool.run(work);
}

// Packs this thread's share of B(k, n). Row-major B goes in slices of rows through all panels, since
// neighbouring panels share lines and pages; a transposed B goes panel by panel.
void pack_share(const KernelTable& kernels, const float* b, Index k_stride, Index n_stride, Index k, Index n,
                Index thread, Index threads, float* panels) {
  const Index width = kernels.panel_width, count = ceil_div(n, width);
  const Index slices = std::max<Index>(1, ceil_div(k, kPackRows));
  const Index total = count * slices;
  for (Index i = part(total, threads, thread), end = part(total, threads, thread + 1); i < end; ++i) {
    const Index slice = n_stride == 1 ? i / count : i % slices,
                panel = n_stride == 1 ? i % count : i / slices;
    const Index k0 = part(k, slices, slice), k1 = part(k, slices, slice + 1), column = panel * width;
    kernels.pack_panels(b + k0 * k_stride + column * n_stride, k_stride, n_stride, k1 - k0,
                        std::min(width, n - column), panels + (panel * k + k0) * width);
  }
}

// The same with 16-bit panels: packed piece by piece as f32, then rounded.
void pack_share_narrow(const KernelTable& kernels, const float* b, Index k_stride, Index n_stride, Index k,
                       Index n, Index thread, Index threads, std::uint16_t (*narrow)(float) noexcept,
                       std::uint16_t* panels) {
  const Index width = kernels.panel_width, count = ceil_div(n, width), slices = ceil_div(k, kPackRows);
  std::array<float, static_cast<std::size_t>(kPackRows * kMostPanelWidth)> piece;
  SM_CHECK(width <= kMostPanelWidth, "[pack_matrix] panels of at most {} columns expected, {} found",
           kMostPanelWidth, width);
  for (Index i = part(count * slices, threads, thread), end = part(count * slices, threads, thread + 1);
       i < end; ++i) {
    const Index panel = i / slices, k0 = i % slices * kPackRows, rows = std::min(kPackRows, k - k0);
    const Index column = panel * width;
    kernels.pack_panels(b + k0 * k_stride + column * n_stride, k_stride, n_stride, rows,
                        std::min(width, n - column), piece.data());
    std::transform(piece.begin(), piece.begin() + rows * width, panels + (panel * k + k0) * width, narrow);
  }
}

GemmArgs arguments(const Product& p) {
  return {.m = p.m,
          .n = p.n,
          .k = p.k,
          .a = p.a,
          .a_row_stride = p.a_row_stride,
          .a_k_stride = p.a_k_stride,
          .b = nullptr,
          .b_panel_stride = 0,
          .b_k_stride = 0,
          .c = p.c,
          .c_stride = p.c_stride,
          .bias = p.bias,
          .accumulate = p.accumulate,
          .residual = p.residual,
          .residual_stride = p.residual_stride,
          .activation = p.activation,
          .activated = p.activated,
          .activated_stride = p.activated_stride};
}

}  // namespace

std::size_t packed_bytes(const KernelTable& kernels, Index k, Index n, DType type) {
  return static_cast<std::size_t>(round_up(n, kernels.panel_width) * k) * dtype_size(type);
}

void pack_matrix(ThreadPool& pool, const KernelTable& kernels, const float* b, Index b_k_stride,
                 Index b_n_stride, Index k, Index n, void* panels, DType type) {
  SM_CHECK(type == DType::f32 || dtype_size(type) == 2, "[pack_matrix] f32, f16 or bf16 expected, {} given",
           dtype_name(type));
  pool.run([&](int thread) {
    if (type == DType::f32)
      pack_share(kernels, b, b_k_stride, b_n_stride, k, n, thread, pool.size(), static_cast<float*>(panels));
    else
      pack_share_narrow(kernels, b, b_k_stride, b_n_stride, k, n, thread, pool.size(),
                        type == DType::f16 ? f32_to_f16 : f32_to_bf16, static_cast<std::uint16_t*>(panels));
  });
}

void matmul_packed(ThreadPool& pool, const KernelTable& kernels, const Product& product, Panels panels,
                   const RowNorm* norm) {
  if (product.m <= 0 || product.n <= 0) return;
  SM_CHECK(panels.type == DType::f32 || product.a_k_stride == 1,
           "[matmul] a row-major A expected beside 16-bit panels");
  GemmArgs g = arguments(product);
  g.b = panels.data;
  g.b_type = panels.type;
  g.b_panel_stride = product.k * kernels.panel_width;
  g.b_k_stride = kernels.panel_width;
  multiply(pool, kernels, g, nullptr, norm);
}

Index matmul_scratch_floats(const ThreadPool& pool, const KernelTable& kernels, const Product& product,
                            Index b_n_stride) {
  const bool in_place = b_n_stride == 1 && product.m <= kernels.slab_rows;
  return in_place ? 0 : pool.size() * kernels.block_floats;
}

void matmul(ThreadPool& pool, const KernelTable& kernels, const Product& product, const float* b,
            Index b_k_stride, Index b_n_stride, float* scratch) {
  if (product.m <= 0 || product.n <= 0) return;
  GemmArgs g = arguments(product);
  g.b = b;
  g.b_panel_stride = kernels.panel_width * b_n_stride;
  g.b_k_stride = b_k_stride;
  g.b_n_stride = b_n_stride;
  const bool in_place = b_n_stride == 1 && product.m <= kernels.slab_rows;
  multiply(pool, kernels, g, in_place ? nullptr : scratch);
}

}  // namespace smallmind
