// Threaded products; see matmul.h.
//
// A product is a grid of tiles of C. Thread t begins with tile t and then takes the next free one from a
// counter: with as many tiles as threads (M = 1) each thread reads the same weights in every step and finds
// them in its L2, and with many tiles a core that a neighbour slows down takes fewer. A tile has at most 256
// x 512 outputs, so that its part of C stays in the cache while the kernel's blocks of k pass over it.
#include "nn/matmul.h"

#include <algorithm>
#include <atomic>

namespace smallmind {
namespace {

constexpr Index kRowUnit = 8;     // rows are cut at multiples of the AVX-512 slab
constexpr Index kTileRows = 256;  // see above
constexpr Index kTileColumns = 512;
constexpr Index kSkinnyRows =
    16;  // below, the time is that of reading B: each thread reads one range of panels
constexpr Index kScratchFloats = Index{4} << 20;    // 16 MiB: stays in most L3
constexpr Index kChunkK = 4096;                     // of a chunk of B
constexpr Index kInPlaceFloats = Index{128} << 10;  // of B: half of an L2 is read as fast in place as packed
constexpr Index kInPlaceRows = 24;  // for fewer rows, copying B costs more than its odd strides do
constexpr Index kPackRows = 64;     // rows of B packed at once: their pages stay in the first-level TLB
constexpr Index kAloneFloats = Index{32} << 10;  // B read in about 1 us: no gain from a second thread
constexpr Index kAloneSteps = Index{64} << 10;   // multiply-adds, about 0.5 us

Index ceil_div(Index x, Index y) {
  return (x + y - 1) / y;
}
// Begin of part i when `total` is spread evenly over `parts`.
Index part(Index total, Index parts, Index i) {
  return total * i / parts;
}

bool runs_alone(const ThreadPool& pool, const Product& p) {
  return pool.size() == 1 || (p.n * p.k <= kAloneFloats && p.m * p.n * p.k <= kAloneSteps);
}

bool uses_b_in_place(const Product& p, Index b_n_stride) {
  return b_n_stride == 1 && (p.m < kInPlaceRows || p.n * p.k <= kInPlaceFloats);
}

// B as the kernel reads it.
struct Panels {
  const float* b;
  Index panel_stride, k_stride;
};

// How C is cut: into row_parts x panel_parts tiles.
struct Grid {
  Index units, panels;  // of kRowUnit rows, of panel_width columns
  Index row_parts, panel_parts;
  Index tiles() const { return row_parts * panel_parts; }
};

// The grid whose slowest thread has the least to do: time of a tile = outputs + a fixed cost in outputs.
Grid make_grid(const Product& p, Index width, Index threads) {
  constexpr Index kTileCost = 256;
  const Index panels = ceil_div(p.n, width);
  if (p.m < kSkinnyRows) return {1, panels, 1, std::min(panels, threads)};
  const Index units = ceil_div(p.m, kRowUnit);
  Grid best{units, panels, ceil_div(p.m, kTileRows), ceil_div(p.n, kTileColumns)};
  if (threads == 1) return best;
  const Index most_columns = std::min(panels, best.panel_parts + threads - 1);
  const Index least_rows = best.row_parts;
  Index best_time = 0;
  for (Index columns = best.panel_parts; columns <= most_columns; ++columns) {
    for (Index rounds = ceil_div(least_rows * columns, threads), last = rounds + 3; rounds <= last;
         ++rounds) {
      const Index rows = std::clamp(rounds * threads / columns, Index{1}, units);
      if (rows < std::min(least_rows, units)) continue;
      const Index tile = ceil_div(units, rows) * kRowUnit * ceil_div(panels, columns) * width + kTileCost;
      const Index time = ceil_div(rows * columns, threads) * tile;
      if (best_time == 0 || time < best_time) {
        best_time = time;
        best = {units, panels, rows, columns};
      }
    }
  }
  return best;
}

void multiply_tile(const KernelTable& kernels, const Product& p, const Panels& b, const Grid& grid,
                   Index tile) {
  const Index r = tile / grid.panel_parts, q = tile % grid.panel_parts;
  const bool whole = grid.row_parts == 1;
  const Index row = whole ? 0 : part(grid.units, grid.row_parts, r) * kRowUnit;
  const Index row_end = whole ? p.m : std::min(p.m, part(grid.units, grid.row_parts, r + 1) * kRowUnit);
  const Index panel = part(grid.panels, grid.panel_parts, q);
  const Index column = panel * kernels.panel_width;
  const Index column_end = std::min(p.n, part(grid.panels, grid.panel_parts, q + 1) * kernels.panel_width);
  kernels.gemm({.m = row_end - row,
                .n = column_end - column,
                .k = p.k,
                .a = p.a + row * p.a_row_stride,
                .a_row_stride = p.a_row_stride,
                .a_k_stride = p.a_k_stride,
                .b = b.b + panel * b.panel_stride,
                .b_panel_stride = b.panel_stride,
                .b_k_stride = b.k_stride,
                .c = p.c + row * p.c_stride + column,
                .c_stride = p.c_stride,
                .bias = p.bias == nullptr ? nullptr : p.bias + column,
                .accumulate = p.accumulate});
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

void multiply(ThreadPool& pool, const KernelTable& kernels, const Product& p, const Panels& b) {
  if (p.m <= 0 || p.n <= 0) return;
  const bool alone = runs_alone(pool, p);
  const Index threads = alone ? 1 : pool.size();
  const Grid grid = make_grid(p, kernels.panel_width, threads);
  TileCounter counter(threads);
  const auto work = [&](int thread) {
    counter.for_each(thread, grid.tiles(), 0, [&](Index tile) { multiply_tile(kernels, p, b, grid, tile); });
  };
  if (alone) {
    work(0);
  } else {
    pool.run(work);
  }
}

// Packs this thread's share. Row-major B goes in slices of rows through all panels, since neighbouring panels
// share lines and pages; a transposed B goes panel by panel.
void pack_share(const KernelTable& kernels, const float* b, Index b_k_stride, Index b_n_stride, Index k,
                Index n, Index thread, Index threads, float* panels) {
  const Index width = kernels.panel_width, count = ceil_div(n, width);
  const Index slices = std::max<Index>(1, ceil_div(k, kPackRows));
  const Index total = count * slices;
  for (Index i = part(total, threads, thread), end = part(total, threads, thread + 1); i < end; ++i) {
    const Index slice = b_n_stride == 1 ? i / count : i % slices,
                panel = b_n_stride == 1 ? i % count : i / slices;
    const Index k0 = part(k, slices, slice), k1 = part(k, slices, slice + 1), column = panel * width;
    kernels.pack_panels(b + k0 * b_k_stride + column * b_n_stride, b_k_stride, b_n_stride, k1 - k0,
                        std::min(width, n - column), panels + (panel * k + k0) * width);
  }
}

// B is packed and used in chunks of at most kScratchFloats.
struct Chunks {
  Index n, k;  // of the largest chunk
  Index n_chunks, k_chunks;
};

Chunks make_chunks(const KernelTable& kernels, const Product& p) {
  const Index width = kernels.panel_width;
  const Index k_chunks = std::max<Index>(1, ceil_div(p.k, kChunkK));
  const Index k = ceil_div(p.k, k_chunks), panels = ceil_div(p.n, width);
  const Index fitting = std::max<Index>(1, kScratchFloats / (width * std::max<Index>(1, k)));
  const Index n_chunks = std::max<Index>(1, ceil_div(panels, fitting));
  return {ceil_div(panels, n_chunks) * width, k, n_chunks, k_chunks};
}

// The part of the product that one chunk of B gives.
Product chunk_of(const Product& p, const Chunks& chunks, Index n_chunk, Index k_chunk) {
  Product part = p;
  const Index column = n_chunk * chunks.n, k = k_chunk * chunks.k;
  part.n = std::min(chunks.n, p.n - column);
  part.k = std::min(chunks.k, p.k - k);
  part.a += k * p.a_k_stride;
  part.c += column;
  part.bias = p.bias == nullptr || k_chunk + 1 < chunks.k_chunks ? nullptr : p.bias + column;
  part.accumulate = p.accumulate || k_chunk > 0;
  return part;
}

}  // namespace

Index packed_floats(const KernelTable& kernels, Index k, Index n) {
  return ceil_div(n, kernels.panel_width) * kernels.panel_width * k;
}

void pack_matrix(ThreadPool& pool, const KernelTable& kernels, const float* b, Index b_k_stride,
                 Index b_n_stride, Index k, Index n, float* panels) {
  pool.run(
      [&](int thread) { pack_share(kernels, b, b_k_stride, b_n_stride, k, n, thread, pool.size(), panels); });
}

void matmul_packed(ThreadPool& pool, const KernelTable& kernels, const Product& product,
                   const float* panels) {
  const Index width = kernels.panel_width;
  multiply(pool, kernels, product, {panels, product.k * width, width});
}

Index matmul_scratch_floats(const KernelTable& kernels, const Product& product, Index, Index b_n_stride) {
  if (uses_b_in_place(product, b_n_stride)) return 0;
  const Chunks chunks = make_chunks(kernels, product);
  return chunks.n * chunks.k;
}

void matmul(ThreadPool& pool, const KernelTable& kernels, const Product& product, const float* b,
            Index b_k_stride, Index b_n_stride, float* scratch) {
  if (product.m <= 0 || product.n <= 0) return;
  const Index width = kernels.panel_width;
  if (uses_b_in_place(product, b_n_stride)) {
    multiply(pool, kernels, product, {b, width, b_k_stride});
    return;
  }
  const bool alone = runs_alone(pool, product);
  const Index threads = alone ? 1 : pool.size();
  const Chunks chunks = make_chunks(kernels, product);
  TileCounter counter(threads);
  const auto work = [&](int thread) {
    Index round_begin = 0;
    for (Index i = 0; i < chunks.n_chunks * chunks.k_chunks; ++i) {
      const Index n_chunk = i / chunks.k_chunks, k_chunk = i % chunks.k_chunks;
      const Product chunk = chunk_of(product, chunks, n_chunk, k_chunk);
      if (chunk.n <= 0) continue;
      if (!alone && i > 0) pool.barrier(thread);  // the scratch is free again
      pack_share(kernels, b + k_chunk * chunks.k * b_k_stride + n_chunk * chunks.n * b_n_stride, b_k_stride,
                 b_n_stride, chunk.k, chunk.n, thread, threads, scratch);
      if (!alone) pool.barrier(thread);
      const Grid grid = make_grid(chunk, width, threads);
      counter.for_each(thread, grid.tiles(), round_begin, [&](Index tile) {
        multiply_tile(kernels, chunk, {scratch, chunk.k * width, width}, grid, tile);
      });
      round_begin += grid.tiles();
    }
  };
  if (alone) {
    work(0);
  } else {
    pool.run(work);
  }
}

}  // namespace smallmind
