// Threaded products; see matmul.h.
//
// A product is a grid of tiles of C. Thread t begins with tile t and then takes the next free one from a
// counter: with as many tiles as threads (M = 1) each thread reads the same weights in every step and finds
// them in its L2, and with many tiles a core that a neighbour slows down takes fewer. A tile has at most 256
// x 512 outputs, so that its part of C stays in the cache while the kernel's blocks of k pass over it.
#include "nn/matmul.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "base/error.h"
#include "tensor/half.h"

namespace smallmind {
namespace {

constexpr Index kTileRows = 256;
constexpr Index kTileColumns = 512;
// Below so many rows the time is that of reading B: each thread reads one range of panels.
constexpr Index kSkinnyRows = 16;
// B packed alone goes in chunks of 16 MiB, which most L3 hold.
constexpr Index kScratchFloats = Index{4} << 20;
// A and B packed together go in chunks of 2 MiB, used while they are in L2 and L3, but of no fewer k than
// 384, because each chunk passes over C once.
constexpr Index kPairFloats = Index{512} << 10;
constexpr Index kLeastChunkK = 384;
// Of a chunk, along each axis.
constexpr Index kChunkSide = 4096;
// An operand of half an L2 is read as fast in place as packed; and for fewer than 24 rows, copying B costs
// more than its long strides do.
constexpr Index kInPlaceFloats = Index{128} << 10;
constexpr Index kInPlaceRows = 24;
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

bool runs_alone(const ThreadPool& pool, const Product& p) {
  return pool.size() == 1 || (p.n * p.k <= kAloneFloats && p.m * p.n * p.k <= kAloneSteps);
}

// How C is cut: into row_parts x panel_parts tiles.
struct Grid {
  Index slabs, panels;  // of slab_rows rows, of panel_width columns
  Index row_parts, panel_parts;
  Index tiles() const { return row_parts * panel_parts; }
};

// The grid whose slowest thread has the least to do: time of a tile = outputs + a fixed cost in outputs.
Grid make_grid(const KernelTable& kernels, Index m, Index n, Index threads) {
  constexpr Index kTileCost = 256;
  const Index slabs = ceil_div(m, kernels.slab_rows), width = kernels.panel_width,
              panels = ceil_div(n, width);
  if (m < kSkinnyRows) return {slabs, panels, 1, std::min(panels, threads)};
  Grid best{slabs, panels, ceil_div(m, kTileRows), ceil_div(n, kTileColumns)};
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
  g.a += g.a_slab_stride != 0 ? slab * g.a_slab_stride : row * g.a_row_stride;
  g.b =
      static_cast<const char*>(g.b) + panel * g.b_panel_stride * static_cast<Index>(dtype_size(whole.b_type));
  move_outputs(g, row, panel * width);
  kernels.gemm(g);
}

// Hands out tiles. In each round of tiles every thread that got at least one asks once in vain, so a round
// moves the counter by exactly its number of tiles, and the next round knows where it begins without a reset
// (and its barrier).
class TileCounter {
 public:
  explicit TileCounter(Index threads) : threads_(threads) {}
  template <class F>
  void for_each(Index thread, Index tiles, Index round_begin, F&& f) {
    Index tile = thread;
    while (tile < tiles) {
      f(tile);
      tile = threads_ + next_.fetch_add(1, std::memory_order_relaxed) - round_begin;
    }
  }

 private:
  std::atomic<Index> next_{0};
  Index threads_;
};

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

// What is packed, and the chunks of m, n and k in which that happens, so that packed operands stay in the
// caches.
struct Plan {
  bool pack_a, pack_b;
  Index m, n, k;  // of the largest chunk
  Index m_chunks, n_chunks, k_chunks;
  Index a_floats, b_floats;  // of scratch
};

Plan make_plan(const KernelTable& kernels, const Product& p, Index b_n_stride) {
  const Index width = kernels.panel_width, slabs = ceil_div(p.m, kernels.slab_rows),
              panels = ceil_div(p.n, width);
  Plan plan{};
  plan.pack_b = b_n_stride != 1 || (p.m >= kInPlaceRows && p.n * p.k > kInPlaceFloats);
  plan.pack_a = p.a_k_stride != 1 && p.m >= kInPlaceRows && p.m * p.k > kInPlaceFloats;
  plan.m_chunks = plan.pack_a ? ceil_div(p.m, kChunkSide) : 1;
  plan.m = plan.pack_a ? ceil_div(slabs, plan.m_chunks) * kernels.slab_rows : p.m;
  Index most_k = p.k, most_panels = panels;
  if (plan.pack_a) {
    most_panels = kChunkSide / width;
    const Index per_k = plan.m + std::min(panels, most_panels) * width;
    most_k = std::max(kLeastChunkK, kPairFloats / per_k);
  } else if (plan.pack_b) {
    most_k = std::clamp<Index>(p.k, 1, kChunkSide);
    most_panels = std::max<Index>(1, kScratchFloats / (most_k * width));
  }
  plan.k_chunks = std::max<Index>(1, ceil_div(p.k, std::max<Index>(1, most_k)));
  plan.n_chunks = std::max<Index>(1, ceil_div(panels, std::max<Index>(1, most_panels)));
  plan.k = ceil_div(p.k, plan.k_chunks);
  plan.n = ceil_div(panels, plan.n_chunks) * width;
  plan.a_floats = plan.pack_a ? plan.m * plan.k : 0;
  plan.b_floats = plan.pack_b ? plan.n * plan.k : 0;
  return plan;
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

// The chunk that begins at the given row, column and k; B is for the caller to set.
GemmArgs chunk_arguments(const Product& p, const Plan& plan, Index row, Index column, Index k0) {
  GemmArgs g = arguments(p);
  g.m = std::min(plan.m, p.m - row);
  g.n = std::min(plan.n, p.n - column);
  g.k = std::min(plan.k, p.k - k0);
  g.a += row * g.a_row_stride + k0 * g.a_k_stride;
  move_outputs(g, row, column);
  g.accumulate = p.accumulate || k0 > 0;
  if (k0 + g.k < p.k) {  // not complete yet
    g.bias = g.residual = nullptr;
    g.activation = nullptr;
  }
  return g;
}

template <class F>
void run(ThreadPool& pool, bool alone, F&& work) {
  if (alone) {
    work(0);
  } else {
    pool.run(work);
  }
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

void matmul_packed(ThreadPool& pool, const KernelTable& kernels, const Product& product, Panels panels) {
  if (product.m <= 0 || product.n <= 0) return;
  SM_CHECK(panels.type == DType::f32 || product.a_k_stride == 1,
           "[matmul] a row-major A expected beside 16-bit panels");
  const bool alone = runs_alone(pool, product);
  const Index threads = alone ? 1 : pool.size();
  const Grid grid = make_grid(kernels, product.m, product.n, threads);
  GemmArgs g = arguments(product);
  g.b = panels.data;
  g.b_type = panels.type;
  g.b_panel_stride = product.k * kernels.panel_width;
  g.b_k_stride = kernels.panel_width;
  TileCounter counter(threads);
  run(pool, alone, [&](int thread) {
    counter.for_each(thread, grid.tiles(), 0, [&](Index tile) { multiply_tile(kernels, g, grid, tile); });
  });
}

Index matmul_scratch_floats(const KernelTable& kernels, const Product& product, Index, Index b_n_stride) {
  const Plan plan = make_plan(kernels, product, b_n_stride);
  return plan.a_floats + plan.b_floats;
}

void matmul(ThreadPool& pool, const KernelTable& kernels, const Product& product, const float* b,
            Index b_k_stride, Index b_n_stride, float* scratch) {
  if (product.m <= 0 || product.n <= 0) return;
  const bool alone = runs_alone(pool, product);
  const Index threads = alone ? 1 : pool.size(), width = kernels.panel_width;
  const Plan plan = make_plan(kernels, product, b_n_stride);
  TileCounter counter(threads);
  run(pool, alone, [&](int thread) {
    Index round_begin = 0;
    for (Index chunk = 0; chunk < plan.m_chunks * plan.n_chunks * plan.k_chunks; ++chunk) {
      const Index k0 = chunk % plan.k_chunks * plan.k;
      const Index column = chunk / plan.k_chunks % plan.n_chunks * plan.n;
      const Index row = chunk / (plan.k_chunks * plan.n_chunks) * plan.m;
      GemmArgs g = chunk_arguments(product, plan, row, column, k0);
      if (g.m <= 0 || g.n <= 0 || g.k < 0) continue;  // sides do not divide evenly into chunks
      const float* from = b + k0 * b_k_stride + column * b_n_stride;
      g.b = from;
      g.b_k_stride = b_k_stride;
      g.b_panel_stride = width;
      if (!alone && chunk > 0) pool.barrier(thread);  // the scratch is free again
      if (plan.pack_a) {
        const Index begin = part(g.k, threads, thread), end = part(g.k, threads, thread + 1);
        g.a_slab_stride = g.k * kernels.slab_rows;
        kernels.pack_slabs(g.a + begin * g.a_k_stride, g.a_k_stride, g.m, end - begin,
                           scratch + begin * kernels.slab_rows, g.a_slab_stride);
        g.a = scratch;
        g.a_k_stride = kernels.slab_rows;
      }
      if (plan.pack_b) {
        float* panels = scratch + plan.a_floats;
        pack_share(kernels, from, b_k_stride, b_n_stride, g.k, g.n, thread, threads, panels);
        g.b = panels;
        g.b_k_stride = width;
        g.b_panel_stride = g.k * width;
      }
      if (!alone && (plan.pack_a || plan.pack_b)) pool.barrier(thread);
      const Grid grid = make_grid(kernels, g.m, g.n, threads);
      counter.for_each(thread, grid.tiles(), round_begin,
                       [&](Index tile) { multiply_tile(kernels, g, grid, tile); });
      round_begin += grid.tiles();
    }
  });
}

}  // namespace smallmind
