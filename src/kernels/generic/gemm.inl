// The product C(m, n) = A(m, k) B(k, n) [+ C] [+ bias] [+ residual] over the vectors of one instruction set.
//
// The including file defines, in the same anonymous namespace and before this text: struct Vec (vectors and
// their masks), kPanelVectors, kTileRows, kPanelsAtOnce[], kBlockK, kBlockFloats, kFarBytes, kNearBytes and
// transpose_square().
//
// Order of the loops: a block of B, kBlockK x (some panels), stays in L2; a slab of kTileRows rows of A stays
// in L1 and passes over all panels of the block; the tile of C stays in registers for the whole block. Every
// output is one chain of FMAs over ascending k: between two blocks of k the chain rests in C, which loses
// nothing, so no cut can change a bit. The rows of A are spread evenly over the slabs (9 rows are 5 + 4, not
// 8 + 1), so that no M falls off a cliff.
//
// Packing that costs nothing: rows of a row-major B lie a page apart, often in the same sets of L1 and L2.
// The first slab reads them in place and stores what it has in registers to scratch, three stores beside 24
// FMAs; the other slabs read the copy. A transposed B is packed block by block into the same scratch.
// Likewise the first tile of a slab copies a transposed A, whose eight rows share a line, to 12 KiB of stack.
//
// Goto, van de Geijn: Anatomy of High-Performance Matrix Multiplication, 2008, with the roles of L1 and L2
// swapped: at 512 bits a panel of B is wider than L1 likes, and L2 delivers the 16 bytes a cycle that a tile
// of 8 rows reads.

constexpr Index kLanes = Vec::kLanes;
constexpr Index kLine = 64;  // bytes
constexpr Index kLineFloats = 16;
constexpr Index kNearFloats = Index{64} << 10;  // an A of 256 KiB waits in L2 by itself
constexpr Index kPanel = kPanelVectors * kLanes;
constexpr Index kAheadA = 48;  // rows of a transposed A asked for ahead of use: 570 cycles

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

// How B is stored: its elements, and a vector of them as f32. Only f32 is ever read in place, where columns
// may end within a vector; panels are padded.
template <DType>
struct Stored {
  static constexpr bool kInPlace = true;
  using Element = float;
  static Vec::Reg load(const float* p) { return Vec::load(p); }
  static Vec::Reg load(const float* p, Vec::Mask mask) { return Vec::load(p, mask); }
};
template <>
struct Stored<DType::f16> {
  static constexpr bool kInPlace = false;
  using Element = std::uint16_t;
  static Vec::Reg load(const std::uint16_t* p) { return Vec::load_f16(p); }
  static Vec::Reg load(const std::uint16_t* p, Vec::Mask) { return Vec::load_f16(p); }
};
template <>
struct Stored<DType::bf16> {
  static constexpr bool kInPlace = false;
  using Element = std::uint16_t;
  static Vec::Reg load(const std::uint16_t* p) { return Vec::load_bf16(p); }
  static Vec::Reg load(const std::uint16_t* p, Vec::Mask) { return Vec::load_bf16(p); }
};

// One tile of C: rows x (vectors of one or of several panels).
struct Tile {
  const float* a;
  Index a_row, a_k;  // one of them is 1
  const void* b;
  Index b_panel, b_k;
  float* c;
  Index c_stride;
  const float* bias;      // null unless this is the last block of k
  const float* residual;  // likewise
  Index residual_stride;
  const void* next_b;  // what comes after this tile, fetched meanwhile
  const float* next_c;
  Index ahead;  // rows of B that are asked for ahead of use
  const float* next_a;
  float *a_copy, *b_copy;  // null, or where this tile copies what it reads
  Index k;
  Vec::Mask mask;  // columns of the last vector
  bool from_c;
};

// The epilogue of a tile: bias and residual where there are any, and C. Inlined, so that the tile stays in
// registers.
template <int kRows, int kAll, bool kMasked>
[[gnu::always_inline]] inline void finish(const Tile& t, Vec::Reg (&acc)[kRows][kAll]) noexcept {
  const auto column = [](int v) { return v * kLanes; };
  if (t.bias != nullptr) {
#pragma GCC unroll 32
    for (int v = 0; v < kAll; ++v) {
      const bool last = kMasked && v == kAll - 1;
      const Vec::Reg bias = last ? Vec::load(t.bias + column(v), t.mask) : Vec::load(t.bias + column(v));
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) acc[i][v] = Vec::add(acc[i][v], bias);
    }
  }
  if (t.residual != nullptr) {
    const float* residual = t.residual;
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i, residual += t.residual_stride) {
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        const float* from = residual + column(v);
        const bool last = kMasked && v == kAll - 1;
        acc[i][v] = Vec::add(acc[i][v], last ? Vec::load(from, t.mask) : Vec::load(from));
      }
    }
  }
  float* out = t.c;
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i, out += t.c_stride) {
#pragma GCC unroll 32
    for (int v = 0; v < kAll; ++v) {
      float* c = out + column(v);
      if (kMasked && v == kAll - 1) {
        Vec::store(c, t.mask, acc[i][v]);
      } else {
        Vec::store(c, acc[i][v]);
      }
    }
  }
}

// kPanels > 1 makes a row longer than one panel: at M = 1 a single panel would be 3 chains of latency 4 on
// units that start 2 FMAs a cycle. Registers: kRows * vectors accumulators <= 24 of 32 (12 of 16 for AVX2),
// the rest holds A and B.
template <class B, int kRows, int kPanels, int kVectors, bool kMasked, bool kUnitK>
void tile(const Tile& t) noexcept {
  constexpr int kAll = kPanels * kVectors;
  constexpr int kPerPanel = kPanels > 1 ? int{kPanelVectors} : kAll;
  Vec::Reg acc[kRows][kAll];
  const auto column = [](int v) { return v * kLanes; };
  const float* start = t.c;
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i, start += t.c_stride) {
#pragma GCC unroll 32
    for (int v = 0; v < kAll; ++v) {
      const float* c = start + column(v);
      const bool last = kMasked && v == kAll - 1;
      acc[i][v] = !t.from_c ? Vec::zero() : last ? Vec::load(c, t.mask) : Vec::load(c);
    }
  }
  if (t.next_c != nullptr) {
    const float* next = t.next_c;
    for (int i = 0; i < kRows; ++i, next += t.c_stride) {
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) __builtin_prefetch(next + column(v), 1);
    }
  }
  constexpr bool kCopies = kRows == kTileRows && kPanels == 1 && B::kInPlace;
  using Element = typename B::Element;
  const float* a = t.a;
  const auto* b = static_cast<const Element*>(t.b);
  const auto* ahead = b + t.ahead * t.b_k;
  const Index last_ahead = t.k - t.ahead;
  if (last_ahead < 0) ahead = static_cast<const Element*>(t.next_b);
  const Index row = kUnitK ? t.a_row : 1;
  float* a_copy = kCopies && !kUnitK ? t.a_copy : nullptr;
  float* b_copy = kCopies ? t.b_copy : nullptr;
  const Index last_ahead_a = t.k - kAheadA;
  for (Index p = 0; p < t.k; ++p) {
    if (p == last_ahead) ahead = static_cast<const Element*>(t.next_b);
    const auto panel = [&](int v) { return (v / kPerPanel) * t.b_panel + column(v % kPerPanel); };
    if constexpr (kRows <= kPerPanel && kPanels > 1) {
      Vec::Reg x[kRows];
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) x[i] = Vec::broadcast(a + i * row);
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        __builtin_prefetch(ahead + panel(v));
        const Vec::Reg w = B::load(b + panel(v));
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) acc[i][v] = Vec::fma(x[i], w, acc[i][v]);
      }
    } else {
      Vec::Reg w[kAll];
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        __builtin_prefetch(ahead + panel(v));
        w[v] = kMasked && v == kAll - 1 ? B::load(b + panel(v), t.mask) : B::load(b + panel(v));
      }
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) {
        const Vec::Reg x = Vec::broadcast(a + i * row);
#pragma GCC unroll 32
        for (int v = 0; v < kAll; ++v) acc[i][v] = Vec::fma(x, w[v], acc[i][v]);
      }
      if constexpr (kCopies) {
        if (b_copy != nullptr) {
#pragma GCC unroll 32
          for (int v = 0; v < kAll; ++v) Vec::store(b_copy + column(v), w[v]);
          b_copy += kPanel;
        }
        if (a_copy != nullptr) {
          __builtin_prefetch(p < last_ahead_a ? a + kAheadA * t.a_k : t.next_a + (p - last_ahead_a) * t.a_k,
                             0, 2);
          __builtin_memcpy(a_copy, a, sizeof(float) * kTileRows);
          a_copy += kTileRows;
        }
      }
    }
    a += kUnitK ? 1 : t.a_k;
    b += t.b_k;
    ahead += t.b_k;
  }
  finish<kRows, kAll, kMasked>(t, acc);
}

using TileFunction = void (*)(const Tile&) noexcept;

template <class B, int kRows, bool kUnitK>
TileFunction tile_for(Index panels, Index vectors, bool masked) noexcept {
  if constexpr (kPanelsAtOnce[kRows] > 1) {
    if (panels > 1) return tile<B, kRows, kPanelsAtOnce[kRows], kPanelVectors, false, kUnitK>;
  }
  if (!masked) return tile<B, kRows, 1, kPanelVectors, false, kUnitK>;
  if constexpr (kPanelVectors >= 3) {
    if (vectors == 3) return tile<B, kRows, 1, 3, true, kUnitK>;
  }
  return vectors == 2 ? tile<B, kRows, 1, 2, true, kUnitK> : tile<B, kRows, 1, 1, true, kUnitK>;
}

template <class B, bool kUnitK, int kRows = kTileRows>
TileFunction tile_of_rows(Index rows, Index panels, Index vectors, bool masked) noexcept {
  if constexpr (kRows > 1) {
    if (rows < kRows) return tile_of_rows<B, kUnitK, kRows - 1>(rows, panels, vectors, masked);
  }
  return tile_for<B, kRows, kUnitK>(panels, vectors, masked);
}

// The tile of `rows` rows and of kPanelsAtOnce[rows] panels (panels > 1), of one panel, or of the last,
// narrower panel.
TileFunction choose(const GemmArgs& g, Index rows, Index panels, Index vectors, bool masked) noexcept {
  if (g.b_type == DType::f16) return tile_of_rows<Stored<DType::f16>, true>(rows, panels, vectors, masked);
  if (g.b_type == DType::bf16) return tile_of_rows<Stored<DType::bf16>, true>(rows, panels, vectors, masked);
  return g.a_k_stride == 1 ? tile_of_rows<Stored<DType::f32>, true>(rows, panels, vectors, masked)
                           : tile_of_rows<Stored<DType::f32>, false>(rows, panels, vectors, masked);
}

// Lines of A that are needed next, on their way to L2: asked for a few at a time, between tiles, so that no
// slab begins with misses.
struct Ahead {
  const char* at = nullptr;
  Index stride = 0;  // bytes from one run of lines to the next
  Index runs = 0, lines = 0;
  Index line = 0;  // of the current run

  void fetch(Index count) noexcept {
    for (; count > 0 && runs > 0; --count) {
      __builtin_prefetch(at + line * kLine, 0, 2);
      if (++line == lines) {
        line = 0;
        --runs;
        at += stride;
      }
    }
  }
};

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
  return {reinterpret_cast<const char*>(s.a), g.a_row_stride * 4, s.rows, ceil_div(k * 4, kLine)};
}

// One slab times one block. Meanwhile the next slab's A is fetched.
void multiply_slab(const GemmArgs& g, const Slab& s, const Block& block, Ahead ahead) noexcept {
  alignas(64) float a_copy[kTileRows * kBlockK];
  const Index first = block.first, end = block.end, full_end = min(end, g.n / kPanel);
  const Index share = ceil_div(ahead.runs * ahead.lines, end - first);
  const Index element = element_bytes(g), k = block.k1 - block.k0;
  const bool last_k = block.k1 == g.k;
  Tile t;
  t.a = s.a;
  t.a_row = g.a_row_stride;
  t.a_k = g.a_k_stride;
  t.b_panel = block.panel;
  t.b_k = block.k;
  t.c_stride = g.c_stride;
  t.residual_stride = g.residual_stride;
  t.k = k;
  t.mask = Vec::mask(kLanes);
  t.from_c = g.accumulate || block.k0 > 0;
  // A transposed slab that several tiles read is copied by the first.
  const bool copies_a =
      t.a_k != 1 && s.rows == kTileRows && full_end > first && end - first > 1 && k <= kBlockK;
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
    t.ahead = block.ahead_bytes / (panels * kPanel * element);
    t.b_copy = block.copy != nullptr ? block.copy + at * kPanel * k : nullptr;
    f(t);
    if (t.a_copy != nullptr) {
      t.a = a_copy;
      t.a_k = kTileRows;
      t.a_copy = nullptr;
    }
    ahead.fetch(share * panels);
  };
  Index panel = first;
  const Index at_once = kPanelsAtOnce[s.rows];
  if (at_once > 1 && panel + at_once <= full_end) {
    const TileFunction f = choose(g, s.rows, at_once, kPanelVectors, false);
    for (; panel + at_once <= full_end; panel += at_once) run(f, panel, at_once);
  }
  if (panel < full_end) {
    const TileFunction f = choose(g, s.rows, 1, kPanelVectors, false);
    for (; panel < full_end; ++panel) run(f, panel, 1);
  }
  if (panel < end) {
    const Index vectors = ceil_div(g.n - panel * kPanel, kLanes);
    t.mask = Vec::mask(g.n - panel * kPanel - (vectors - 1) * kLanes);
    run(choose(g, s.rows, 1, vectors, true), panel, 1);
  }
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
    k_blocks = one_pass ? 1 : max(1, ceil_div(g.k, kBlockK));
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

// Slab i of a block; the first is the fullest.
Slab slab_of(const GemmArgs& g, const Cuts& cuts, const Block& block, Index i) noexcept {
  if (block.end == 0) return {};  // behind the last block
  const Index row = ceil_div(g.m * i, cuts.slabs), end = ceil_div(g.m * (i + 1), cuts.slabs);
  return {g.a + row * g.a_row_stride + block.k0 * g.a_k_stride, row, end - row};
}

void gemm(const GemmArgs& g) noexcept {
  if (g.m <= 0 || g.n <= 0) return;
  const Cuts cuts(g);
  Block next_block = block_of(g, cuts, 0);
  Slab next = slab_of(g, cuts, next_block, 0);
  const bool packs = g.b_n_stride != 1;
  const bool copies =
      g.b_panel_stride == kPanel && g.b_scratch != nullptr && next.rows == kTileRows && cuts.slabs > 2;
  for (Index i = 0; i < cuts.n_blocks * cuts.k_blocks; ++i) {
    Block block = next_block;
    next_block = block_of(g, cuts, i + 1);
    const auto read_scratch = [&] {
      block.b = reinterpret_cast<const char*>(g.b_scratch);
      block.panel = (block.k1 - block.k0) * kPanel;
      block.k = kPanel;
      block.copy = nullptr;
      block.ahead_bytes = kNearBytes;
    };
    if (copies) block.copy = g.b_scratch;
    if (packs) {
      pack_panels(reinterpret_cast<const float*>(block.b), 1, g.b_n_stride, block.k1 - block.k0,
                  min(g.n, block.end * kPanel) - block.first * kPanel, g.b_scratch);
      read_scratch();
    }
    for (Index s = 0; s < cuts.slabs; ++s) {
      const Slab slab = next;
      next = s + 1 < cuts.slabs ? slab_of(g, cuts, block, s + 1) : slab_of(g, cuts, next_block, 0);
      multiply_slab(g, slab, block, ahead_of(g, next, block.k1 - block.k0));
      if (g.activation != nullptr && block.k1 == g.k) activate(g, slab, block);
      if (copies && s == 0) read_scratch();
      if (cuts.slabs > 1) block.ahead_bytes = kNearBytes;
    }
  }
}
