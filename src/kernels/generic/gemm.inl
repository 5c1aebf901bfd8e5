// The product C(m, n) = A(m, k) B(k, n) [+ C] [+ bias] [+ residual] over the vectors of one instruction set.
//
// The including file defines, in the same anonymous namespace and before this text: struct Vec (vectors and
// their masks), kPanelVectors, kTileRows, kPanelsAtOnce[], kStepsAtOnce, kPoorRows (of which a tile has too
// few chains; 0: none), the sizes of blocks kBlockK, kBlockKCopied (where A is transposed) and kBlockFloats,
// how far to fetch ahead kFarBytes, kFewRowsBytes and kNearBytes, and transpose_square().
//
// Order of the loops: a block of B, kBlockK x (some panels), stays in L2; a slab of kTileRows rows of A stays
// in L1 and passes over all panels of the block; the tile of C stays in registers for the whole block. Every
// output is one chain of FMAs over ascending k: between two blocks of k the chain rests in C, which loses
// nothing, so no cut can change a bit. The rows of A are spread evenly over the slabs (9 rows are 5 + 4, not
// 8 + 1), so that no M falls off a cliff. The tile is gemm_tile.inl's.
//
// Packing that costs nothing: rows of a large row-major B lie a page apart, often in the same sets of L1 and
// L2. The first slab reads them in place and copies what it reads to scratch, three loads and stores beside
// 24 FMAs; the other slabs read the copy. A B that fits L2 is read in place by all. A transposed B is packed
// block by block into the same scratch. Likewise the first tile of a slab copies a transposed A, whose eight
// rows share a line, to 12 KiB of stack.
//
// Goto, van de Geijn: Anatomy of High-Performance Matrix Multiplication, 2008, with the roles of L1 and L2
// swapped: at 512 bits a panel of B is wider than L1 likes, and L2 delivers the 16 bytes a cycle that a tile
// of 8 rows reads.

constexpr Index kLanes = Vec::kLanes;
constexpr Index kLineFloats = 16;
constexpr Index kNearFloats = Index{80} << 10;  // an operand of 320 KiB waits in L2 by itself
constexpr Index kPanel = kPanelVectors * kLanes;

constexpr Index min(Index x, Index y) {
  return x < y ? x : y;
}
constexpr Index max(Index x, Index y) {
  return x > y ? x : y;
}
constexpr Index ceil_div(Index x, Index y) {
  return (x + y - 1) / y;
}
// Begin of part i when `total` is spread evenly over `parts`.
constexpr Index part(Index total, Index parts, Index i) {
  return total * i / parts;
}

#include "kernels/generic/gemm_pack.inl"
#include "kernels/generic/gemm_tile.inl"

// Panels [first, end) of columns k0 .. k1 of A, as a slab reads them, and where it copies them meanwhile.
struct Block {
  Index first, end, k0, k1;
  const char* b;      // of panel `first`
  Index panel, k;     // strides in elements
  Index ahead_bytes;  // how far ahead of use a tile asks for B
  float* copy;        // or null
};

// One slab of A in one block.
struct Slab {
  const float* a;
  Index row, rows;  // of C
};

Index element_bytes(const GemmArgs& g) noexcept {
  return g.b_type == DType::f32 ? 4 : 2;
}

// The lines of A that a slab reads. A transposed A is fetched by the tile that copies it.
Ahead ahead_of(const GemmArgs& g, const Slab& s, Index k) noexcept {
  if (s.rows == 0 || g.a_k_stride != 1 || g.m * k <= kNearFloats) return {};
  return {s.a, g.a_row_stride, s.rows, ceil_div(k, kLineFloats), 0};
}

// One slab times one block. Meanwhile the next slab's A is fetched.
void multiply_slab(const GemmArgs& g, const Slab& s, const Block& block, Ahead ahead) noexcept {
  alignas(64) float a_copy[kTileRows * kBlockKCopied];
  const Index first = block.first, end = block.end, full_end = min(end, g.n / kPanel);
  const Index element = element_bytes(g), k = block.k1 - block.k0;
  const bool last_k = block.k1 == g.k, fetch = block.ahead_bytes > 0, packed = block.k == kPanel;
  Tile t;
  t.a = s.a;
  t.a_row = g.a_row_stride;
  t.a_k = g.a_k_stride;
  t.b_panel = block.panel;
  t.b_k = block.k;
  t.c_stride = g.c_stride;
  t.residual_stride = g.residual_stride;
  t.next_slab = &ahead;
  t.lines = ceil_div(ahead.left(), (end - first) * max(1, k / kStepsPerStop - 1));
  t.k = k;
  t.mask = Vec::mask(kLanes);
  t.from_c = g.accumulate || block.k0 > 0;
  // A transposed slab that several tiles read is copied by the first.
  const bool copies_a =
      t.a_k != 1 && s.rows == kTileRows && full_end > first && end - first > 1 && k <= kBlockKCopied;
  t.a_copy = copies_a ? a_copy : nullptr;
  t.next_a = s.a + s.rows;
  const auto run = [&](TileFunction f, Index panel, Index panels) {
    const Index at = panel - first, column = panel * kPanel;
    t.b = block.b + at * block.panel * element;
    t.c = g.c + s.row * g.c_stride + column;
    t.bias = last_k && g.bias != nullptr ? g.bias + column : nullptr;
    t.residual = last_k && g.residual != nullptr ? g.residual + s.row * g.residual_stride + column : nullptr;
    const bool more = panel + panels < end;
    t.next_b = block.b + (more ? at + panels : 0) * block.panel * element;
    t.next_c = more ? t.c + panels * kPanel : t.c + s.rows * g.c_stride - at * kPanel;
    t.ahead = (panels > 1 ? min(kFewRowsBytes, block.ahead_bytes) : block.ahead_bytes) /
              (panels * kPanel * element);
    t.b_copy = block.copy != nullptr ? block.copy + at * kPanel * k : nullptr;
    f(t);
    if (t.a_copy != nullptr) {
      t.a = a_copy;
      t.a_k = kTileRows;
      t.a_copy = nullptr;
    }
  };
  Index panel = first;
  const Index at_once = kPanelsAtOnce[s.rows];
  if (at_once > 1 && panel + at_once <= full_end) {
    const TileFunction f = choose(g, {s.rows, at_once, kPanelVectors, false, true, packed});
    for (; panel + at_once <= full_end; panel += at_once) run(f, panel, at_once);
  }
  if (panel < full_end) {
    const TileFunction f = choose(g, {s.rows, 1, kPanelVectors, false, fetch, packed});
    for (; panel < full_end; ++panel) run(f, panel, 1);
  }
  if (panel < end) {
    const Index vectors = ceil_div(g.n - panel * kPanel, kLanes);
    t.mask = Vec::mask(g.n - panel * kPanel - (vectors - 1) * kLanes);
    run(choose(g, {s.rows, 1, vectors, true, true, packed}), panel, 1);
  }
  ahead.fetch(ahead.left());
}

// The activation of what a slab has finished in a block: some 10 KiB, still in L1.
void activate(const GemmArgs& g, const Slab& s, const Block& block) noexcept {
  const Index column = block.first * kPanel, columns = min(g.n, block.end * kPanel) - column;
  for (Index i = s.row; i < s.row + s.rows; ++i)
    g.activation(g.c + i * g.c_stride + column, columns, g.activated + i * g.activated_stride + column);
}

// How a product is cut into blocks of k, blocks of panels and slabs of rows.
struct Cuts {
  Index slabs, k_blocks, panels, n_blocks;
  explicit Cuts(const GemmArgs& g) noexcept {
    slabs = ceil_div(g.m, kTileRows);
    panels = ceil_div(g.n, kPanel);
    // With a single slab nothing of B is used twice: one pass over whole panels, as they lie in memory.
    const bool one_pass = slabs == 1 && g.b_n_stride == 1;
    k_blocks = one_pass ? 1 : max(1, ceil_div(g.k, g.a_k_stride == 1 ? kBlockK : kBlockKCopied));
    const Index most_k = ceil_div(ceil_div(g.k, kLineFloats), k_blocks) * kLineFloats;
    n_blocks = one_pass ? 1 : ceil_div(panels, max(1, kBlockFloats / (kPanel * most_k + 1)));
  }
};

// Likewise of k, in whole lines, so that rows of A and B are cut between two of them.
Index part_of_k(Index k, Index parts, Index i) noexcept {
  return min(k, part(ceil_div(k, kLineFloats), parts, i) * kLineFloats);
}

// Block i: all blocks of k of the first panels, then of the next.
Block block_of(const GemmArgs& g, const Cuts& cuts, Index i) noexcept {
  if (i >= cuts.n_blocks * cuts.k_blocks) return {};
  const Index nb = i / cuts.k_blocks, kb = i % cuts.k_blocks;
  const Index first = part(cuts.panels, cuts.n_blocks, nb), k0 = part_of_k(g.k, cuts.k_blocks, kb);
  return {
      .first = first,
      .end = part(cuts.panels, cuts.n_blocks, nb + 1),
      .k0 = k0,
      .k1 = part_of_k(g.k, cuts.k_blocks, kb + 1),
      .b = static_cast<const char*>(g.b) + (first * g.b_panel_stride + k0 * g.b_k_stride) * element_bytes(g),
      .panel = g.b_panel_stride,
      .k = g.b_k_stride,
      .ahead_bytes = kFarBytes,
      .copy = nullptr};
}

// The first row of slab i, spread evenly; but two slabs are not cut where the second has kPoorRows.
Index first_row(const GemmArgs& g, const Cuts& cuts, Index i) noexcept {
  const Index row = ceil_div(g.m * i, cuts.slabs);
  return cuts.slabs == 2 && i == 1 && g.m - row == kPoorRows ? row + 1 : row;
}

// Slab i of a block; the first is the fullest.
Slab slab_of(const GemmArgs& g, const Cuts& cuts, const Block& block, Index i) noexcept {
  if (block.end == 0) return {};  // behind the last block
  const Index row = first_row(g, cuts, i), end = first_row(g, cuts, i + 1);
  return {g.a + row * g.a_row_stride + block.k0 * g.a_k_stride, row, end - row};
}

void gemm(const GemmArgs& g) noexcept {
  if (g.m <= 0 || g.n <= 0) return;
  const Cuts cuts(g);
  Block next_block = block_of(g, cuts, 0);
  Slab next = slab_of(g, cuts, next_block, 0);
  const bool packs = g.b_n_stride != 1;
  const bool copies = g.b_panel_stride == kPanel && g.b_scratch != nullptr && next.rows == kTileRows &&
                      cuts.slabs > 2 && g.k * g.b_k_stride > kNearFloats;
  const Index near_bytes = g.n * g.k > kNearFloats ? kNearBytes : 0;
  for (Index i = 0; i < cuts.n_blocks * cuts.k_blocks; ++i) {
    Block block = next_block;
    next_block = block_of(g, cuts, i + 1);
    const auto read_scratch = [&] {
      block.b = reinterpret_cast<const char*>(g.b_scratch);
      block.panel = (block.k1 - block.k0) * kPanel;
      block.k = kPanel;
      block.copy = nullptr;
      block.ahead_bytes = near_bytes;
    };
    if (copies) block.copy = g.b_scratch;
    if (packs) {
      pack_panels(reinterpret_cast<const float*>(block.b), 1, g.b_n_stride, block.k1 - block.k0,
                  min(g.n, block.end * kPanel) - block.first * kPanel, g.b_scratch);
      read_scratch();
    }
    for (Index s = 0; s < cuts.slabs; ++s) {
      const Slab slab = next;
      const bool last = s + 1 == cuts.slabs;
      const Block& of_next = last ? next_block : block;
      next = slab_of(g, cuts, of_next, last ? 0 : s + 1);
      multiply_slab(g, slab, block, ahead_of(g, next, of_next.k1 - of_next.k0));
      if (g.activation != nullptr && block.k1 == g.k) activate(g, slab, block);
      if (copies && s == 0) read_scratch();
      if (cuts.slabs > 1) block.ahead_bytes = near_bytes;
    }
  }
}
