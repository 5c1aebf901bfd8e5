// The product C(m, n) = A(m, k) B(k, n) [+ C] [+ bias] [+ residual] over the vectors of one instruction set.
//
// The including file defines, in the same anonymous namespace and before this text: struct Vec (vectors and
// their masks), kPanelVectors, kTileRows, kPanelsAtOnce[], kBlockK, kBlockFloats, kAhead, kAheadSkinny and
// transpose_square().
//
// Order of the loops: a block of B, kBlockK x (some panels), stays in L2; a slab of kTileRows rows of A stays
// in L1 and passes over all panels of the block; the tile of C stays in registers for the whole block. Every
// output is one chain of FMAs over ascending k: between two blocks of k the chain rests in C, which loses
// nothing, so no cut can change a bit. The rows of A are spread evenly over the slabs (9 rows are 5 + 4, not
// 8 + 1), so that no M falls off a cliff.
//
// Goto, van de Geijn: Anatomy of High-Performance Matrix Multiplication, 2008, with the roles of L1 and L2
// swapped: at 512 bits a panel of B is wider than L1 likes, and L2 delivers the 16 bytes a cycle that a tile
// of 8 rows reads.

constexpr Index kLanes = Vec::kLanes;
constexpr Index kLineFloats = 16;
constexpr Index kNearFloats = Index{64} << 10;  // an A of 256 KiB waits in L2 by itself
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

// How B is stored: its elements, and a vector of them as f32. Only f32 is ever read in place, where columns
// may end within a vector; panels are padded.
template <DType>
struct Stored {
  using Element = float;
  static Vec::Reg load(const float* p) { return Vec::load(p); }
  static Vec::Reg load(const float* p, Vec::Mask mask) { return Vec::load(p, mask); }
};
template <>
struct Stored<DType::f16> {
  using Element = std::uint16_t;
  static Vec::Reg load(const std::uint16_t* p) { return Vec::load_f16(p); }
  static Vec::Reg load(const std::uint16_t* p, Vec::Mask) { return Vec::load_f16(p); }
};
template <>
struct Stored<DType::bf16> {
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
  Index k;
  Vec::Mask mask;  // columns of the last vector
  bool from_c;
};

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
  const float* a = t.a;
  using Element = typename B::Element;
  const auto* b = static_cast<const Element*>(t.b);
  const Element* ahead = b + kAhead * t.b_k;
  const Index last_ahead = t.k - kAhead;
  const Index row = kUnitK ? t.a_row : 1;
  for (Index p = 0; p < t.k; ++p) {
    if (p == last_ahead) ahead = static_cast<const Element*>(t.next_b);
    if constexpr (kRows <= kPerPanel && kPanels > 1) {
      Vec::Reg x[kRows];
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) x[i] = Vec::broadcast(a + i * row);
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        const Element* from = b + (v / kPerPanel) * t.b_panel + column(v % kPerPanel);
        __builtin_prefetch(from + kAheadSkinny);
        const Vec::Reg w = B::load(from);
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) acc[i][v] = Vec::fma(x[i], w, acc[i][v]);
      }
    } else {
      Vec::Reg w[kAll];
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        const Element* from = b + (v / kPerPanel) * t.b_panel + column(v % kPerPanel);
        __builtin_prefetch(ahead + column(v));
        w[v] = kMasked && v == kAll - 1 ? B::load(from, t.mask) : B::load(from);
      }
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) {
        const Vec::Reg x = Vec::broadcast(a + i * row);
#pragma GCC unroll 32
        for (int v = 0; v < kAll; ++v) acc[i][v] = Vec::fma(x, w[v], acc[i][v]);
      }
    }
    a += kUnitK ? 1 : t.a_k;
    b += t.b_k;
    ahead += t.b_k;
  }
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

// Rows of A that are needed next: lines are asked for a few at a time, between tiles, so that no slab begins
// with misses.
struct Ahead {
  const float* at = nullptr;
  Index stride = 0;  // from one run of lines to the next
  Index runs = 0, lines = 0;
  Index line = 0;  // of the current run

  void fetch(Index count) noexcept {
    for (; count > 0 && runs > 0; --count) {
      __builtin_prefetch(at + line * kLineFloats, 0, 2);  // into L2
      if (++line == lines) {
        line = 0;
        --runs;
        at += stride;
      }
    }
  }
};

// One slab in one block of k.
struct Slab {
  const float* a;
  Index row, rows;  // of C
  Index k0, k;
};

// The lines of A that a slab reads.
Ahead ahead_of(const GemmArgs& g, const Slab& s) noexcept {
  if (s.rows == 0 || g.m * s.k <= kNearFloats) return {};
  if (g.a_k_stride == 1) return {s.a, g.a_row_stride, s.rows, ceil_div(s.k, kLineFloats)};
  if (g.a_slab_stride != 0) return {s.a, 0, 1, ceil_div(s.k * kTileRows, kLineFloats)};
  return {s.a, g.a_k_stride, s.k, 1};
}

// One slab times the panels [first, end).
void multiply_slab(const GemmArgs& g, const Slab& s, Index first, Index end, Ahead ahead) noexcept {
  const Index full_end = min(end, g.n / kPanel);
  const Index share = ceil_div(ahead.runs * ahead.lines, end - first);
  Tile t;
  t.a = s.a;
  t.a_row = g.a_row_stride;
  t.a_k = g.a_k_stride;
  t.b_panel = g.b_panel_stride;
  t.b_k = g.b_k_stride;
  t.c_stride = g.c_stride;
  t.k = s.k;
  t.mask = Vec::mask(kLanes);
  t.from_c = g.accumulate || s.k0 > 0;
  const bool last_k = s.k0 + s.k == g.k;
  const float* bias = last_k ? g.bias : nullptr;
  const float* residual = last_k && g.residual != nullptr ? g.residual + s.row * g.residual_stride : nullptr;
  t.residual_stride = g.residual_stride;
  const Index element = g.b_type == DType::f32 ? 4 : 2;
  const char* b = static_cast<const char*>(g.b) + s.k0 * g.b_k_stride * element;
  const auto run = [&](TileFunction f, Index panel, Index panels) {
    t.b = b + panel * g.b_panel_stride * element;
    t.c = g.c + s.row * g.c_stride + panel * kPanel;
    t.bias = bias != nullptr ? bias + panel * kPanel : nullptr;
    t.residual = residual != nullptr ? residual + panel * kPanel : nullptr;
    const bool more = panel + panels < end;
    t.next_b = b + (more ? panel + panels : first) * g.b_panel_stride * element;
    t.next_c = more ? t.c + panels * kPanel : t.c + s.rows * g.c_stride - (panel - first) * kPanel;
    f(t);
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

// The activation of what a slab has finished in the panels [first, end): some 10 KiB, still in L1.
void activate(const GemmArgs& g, const Slab& s, Index first, Index end) noexcept {
  const Index column = first * kPanel, columns = min(g.n, end * kPanel) - column;
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
    k_blocks = slabs == 1 ? 1 : max(1, ceil_div(g.k, kBlockK));
    n_blocks =
        slabs == 1 ? 1 : ceil_div(panels, max(1, kBlockFloats / (kPanel * ceil_div(g.k, k_blocks) + 1)));
  }
};

// Slab i of columns k0 .. k1 of A: rows are spread evenly, but packed slabs are full but for the last.
Slab slab_of(const GemmArgs& g, Index slabs, Index i, Index k0, Index k1) noexcept {
  if (g.a_slab_stride != 0) {
    const Index row = i * kTileRows;
    return {g.a + i * g.a_slab_stride + k0 * kTileRows, row, min(kTileRows, g.m - row), k0, k1 - k0};
  }
  const Index row = part(g.m, slabs, i);
  return {g.a + row * g.a_row_stride + k0 * g.a_k_stride, row, part(g.m, slabs, i + 1) - row, k0, k1 - k0};
}

void gemm(const GemmArgs& g) noexcept {
  if (g.m <= 0 || g.n <= 0) return;
  const Cuts cuts(g);
  for (Index nb = 0; nb < cuts.n_blocks; ++nb) {
    const Index first = part(cuts.panels, cuts.n_blocks, nb), end = part(cuts.panels, cuts.n_blocks, nb + 1);
    for (Index kb = 0; kb < cuts.k_blocks; ++kb) {
      const Index k0 = part(g.k, cuts.k_blocks, kb), k1 = part(g.k, cuts.k_blocks, kb + 1);
      Slab slab = slab_of(g, cuts.slabs, 0, k0, k1);
      for (Index i = 0; i < cuts.slabs; ++i) {
        const Slab next = i + 1 < cuts.slabs ? slab_of(g, cuts.slabs, i + 1, k0, k1) : Slab{};
        multiply_slab(g, slab, first, end, ahead_of(g, next));
        if (g.activation != nullptr && k1 == g.k) activate(g, slab, first, end);
        slab = next;
      }
    }
  }
}

// One panel of a B whose rows are contiguous: vectors are copied.
void pack_rows(const float* b, Index k_stride, Index k, Index columns, float* out) noexcept {
  Vec::Mask masks[kPanelVectors];
  for (Index v = 0; v < kPanelVectors; ++v) masks[v] = Vec::mask(max(0, min(kLanes, columns - v * kLanes)));
  for (Index p = 0; p < k; ++p) {
#pragma GCC unroll 8
    for (Index v = 0; v < kPanelVectors; ++v) {
      const float* from = b + p * k_stride + v * kLanes;
      __builtin_prefetch(from + kPanel, 0, 2);
      Vec::store(out + p * kPanel + v * kLanes,
                 columns == kPanel ? Vec::load(from) : Vec::load(from, masks[v]));
    }
  }
}

// One panel of a B whose columns are contiguous (the transpose of a row-major weight): squares are turned in
// registers.
void pack_columns(const float* b, Index n_stride, Index k, Index columns, float* out) noexcept {
  for (Index p = 0; p < k; p += kLanes) {
    for (Index v = 0; v < kPanelVectors; ++v) {
      const Index rows = max(0, min(kLanes, columns - v * kLanes));
      transpose_square(b + v * kLanes * n_stride + p, n_stride, rows, min(kLanes, k - p),
                       out + p * kPanel + v * kLanes, kPanel);
    }
  }
}

// 16 rows of k at a time: reads stay in few lines and pages, and each slab is written in runs of 8 lines,
// since the slabs often lie a multiple of 4 KiB apart and would evict each other from L1.
void pack_slabs(const float* a, Index k_stride, Index m, Index k, float* slabs, Index slab_stride) noexcept {
  constexpr Index kRun = 16;
  for (Index p0 = 0; p0 < k; p0 += kRun) {
    const Index p1 = min(k, p0 + kRun);
    for (Index i = 0; i < m; i += kTileRows) {
      const float* from = a + i;
      float* out = slabs + i / kTileRows * slab_stride;
      if (m - i >= kTileRows) {
        for (Index p = p0; p < p1; ++p) {
#pragma GCC unroll 8
          for (Index r = 0; r < kTileRows; ++r) out[p * kTileRows + r] = from[p * k_stride + r];
        }
      } else {
        for (Index p = p0; p < p1; ++p) {
          for (Index r = 0; r < kTileRows; ++r)
            out[p * kTileRows + r] = r < m - i ? from[p * k_stride + r] : 0.0F;
        }
      }
    }
  }
}

void pack_panels(const float* b, Index k_stride, Index n_stride, Index k, Index n, float* panels) noexcept {
  for (Index j = 0; j < n; j += kPanel) {
    float* out = panels + j * k;
    const float* from = b + j * n_stride;
    const Index columns = min(kPanel, n - j);
    if (n_stride == 1) {
      pack_rows(from, k_stride, k, columns, out);
    } else if (k_stride == 1) {
      pack_columns(from, n_stride, k, columns, out);
    } else {
      for (Index p = 0; p < k; ++p) {
        for (Index c = 0; c < kPanel; ++c)
          out[p * kPanel + c] = c < columns ? from[p * k_stride + c * n_stride] : 0.0F;
      }
    }
  }
}
