// The product C(m, n) = A(m, k) B(k, n) [+ C] [+ bias] over the vectors of one instruction set.
//
// The including file defines, in the same anonymous namespace and before this text: struct Vec (vectors and
// their masks), kPanelVectors, kTileRows, kPanelsAtOnce[], kBlockK, kBlockFloats, and transpose_square().
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
constexpr Index kPanel = kPanelVectors * kLanes;
constexpr Index kSlabsPerGroup = 2;  // packed together: whole lines
constexpr Index kGroupFloats = (kSlabsPerGroup * kTileRows + kLanes - 1) / kLanes * kLanes;  // per k

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

// One tile of C: rows x (vectors of one or of several panels).
struct Tile {
  const float* a;
  Index a_row, a_k;  // one of them is 1
  const float* b;
  Index b_panel, b_k;
  float* c;
  Index c_stride;
  const float* bias;  // null unless this is the last block of k
  const float* next;  // the tile of C that comes next, fetched meanwhile
  Index k;
  Vec::Mask mask;  // columns of the last vector
  bool from_c;
};

// kPanels > 1 makes a row longer than one panel: at M = 1 a single panel would be 3 chains of latency 4 on
// units that start 2 FMAs a cycle. Registers: kRows * vectors accumulators <= 24 of 32 (12 of 16 for AVX2),
// the rest holds A and B.
template <int kRows, int kPanels, int kVectors, bool kMasked, bool kUnitK>
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
  if (t.next != nullptr) {
    const float* next = t.next;
    for (int i = 0; i < kRows; ++i, next += t.c_stride) {
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) __builtin_prefetch(next + column(v), 1);
    }
  }
  const float* a = t.a;
  const float* b = t.b;
  const Index row = kUnitK ? t.a_row : 1;
  for (Index p = 0; p < t.k; ++p) {
    if constexpr (kRows <= kPerPanel && kPanels > 1) {
      Vec::Reg x[kRows];
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) x[i] = Vec::broadcast(a + i * row);
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        const float* from = b + (v / kPerPanel) * t.b_panel + column(v % kPerPanel);
        __builtin_prefetch(from + kAheadSkinny);
        const Vec::Reg w = Vec::load(from);
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) acc[i][v] = Vec::fma(x[i], w, acc[i][v]);
      }
    } else {
      Vec::Reg w[kAll];
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        const float* from = b + (v / kPerPanel) * t.b_panel + column(v % kPerPanel);
        if (kAhead > 0) __builtin_prefetch(from + kAhead * t.b_k);
        w[v] = kMasked && v == kAll - 1 ? Vec::load(from, t.mask) : Vec::load(from);
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

template <int kRows, bool kUnitK>
TileFunction tile_for(Index panels, Index vectors, bool masked) noexcept {
  if constexpr (kPanelsAtOnce[kRows] > 1) {
    if (panels > 1) return tile<kRows, kPanelsAtOnce[kRows], kPanelVectors, false, kUnitK>;
  }
  if (!masked) return tile<kRows, 1, kPanelVectors, false, kUnitK>;
  if constexpr (kPanelVectors >= 3) {
    if (vectors == 3) return tile<kRows, 1, 3, true, kUnitK>;
  }
  return vectors == 2 ? tile<kRows, 1, 2, true, kUnitK> : tile<kRows, 1, 1, true, kUnitK>;
}

// The tile of `rows` rows and of kPanelsAtOnce[rows] panels (panels > 1), of one panel, or of the last,
// narrower panel.
template <int kRows = kTileRows>
TileFunction choose(Index rows, bool unit_k, Index panels, Index vectors, bool masked) noexcept {
  if constexpr (kRows == 1) {
    return unit_k ? tile_for<1, true>(panels, vectors, masked) : tile_for<1, false>(panels, vectors, masked);
  } else {
    if (rows < kRows) return choose<kRows - 1>(rows, unit_k, panels, vectors, masked);
    return unit_k ? tile_for<kRows, true>(panels, vectors, masked)
                  : tile_for<kRows, false>(panels, vectors, masked);
  }
}

// Where one slab stands in a block of k.
struct Slab {
  const float* a;
  Index a_row, a_k;
  Index row, rows;  // of C
  Index first_k, k;
  bool first, last;  // blocks of k
};

// One slab times the panels [first, end).
void multiply_slab(const GemmArgs& g, const Slab& s, Index first, Index end) noexcept {
  const bool unit_k = s.a_k == 1;
  const Index full_end = min(end, g.n / kPanel);
  Tile t;
  t.a = s.a;
  t.a_row = s.a_row;
  t.a_k = s.a_k;
  t.b_panel = g.b_panel_stride;
  t.b_k = g.b_k_stride;
  t.c_stride = g.c_stride;
  t.k = s.k;
  t.mask = Vec::mask(kLanes);
  t.from_c = g.accumulate || !s.first;
  const auto run = [&](TileFunction f, Index panel, Index panels) {
    const Index column = panel * kPanel;
    t.b = g.b + panel * g.b_panel_stride + s.first_k * g.b_k_stride;
    t.c = g.c + s.row * g.c_stride + column;
    t.bias = s.last && g.bias != nullptr ? g.bias + column : nullptr;
    t.next = panel + panels < full_end ? t.c + panels * kPanel : nullptr;
    f(t);
  };
  Index panel = first;
  const Index at_once = kPanelsAtOnce[s.rows];
  if (at_once > 1 && panel + at_once <= full_end) {
    const TileFunction f = choose(s.rows, unit_k, at_once, kPanelVectors, false);
    for (; panel + at_once <= full_end; panel += at_once) run(f, panel, at_once);
  }
  if (panel < full_end) {
    const TileFunction f = choose(s.rows, unit_k, 1, kPanelVectors, false);
    for (; panel < full_end; ++panel) run(f, panel, 1);
  }
  if (panel < end) {
    const Index vectors = ceil_div(g.n - panel * kPanel, kLanes);
    t.mask = Vec::mask(g.n - panel * kPanel - (vectors - 1) * kLanes);
    run(choose(s.rows, unit_k, 1, vectors, true), panel, 1);
  }
}

// Copies `rows` adjacent rows of an A whose rows are adjacent in memory: out[p * kGroupFloats + i] = a[p *
// a_k + i].
void pack_group(const float* a, Index a_k, Index rows, Index k, float* out) noexcept {
  for (Index v = 0; v < kGroupFloats && v < rows; v += kLanes) {
    const Vec::Mask mask = Vec::mask(min(kLanes, rows - v));
    for (Index p = 0; p < k; ++p) Vec::store(out + p * kGroupFloats + v, Vec::load(a + p * a_k + v, mask));
  }
}

void gemm(const GemmArgs& g) noexcept {
  if (g.m <= 0 || g.n <= 0) return;
  alignas(64) float packed[kBlockK * kGroupFloats];
  const Index slabs = ceil_div(g.m, kTileRows);
  // With a single slab nothing of B is used twice: one pass over whole panels, as they lie in memory.
  const Index k_blocks = slabs == 1 ? 1 : max(1, ceil_div(g.k, kBlockK));
  const Index panels = ceil_div(g.n, kPanel);
  const Index block_panels =
      slabs == 1 ? panels : max(1, kBlockFloats / (kPanel * ceil_div(g.k, k_blocks) + 1));
  const Index n_blocks = ceil_div(panels, block_panels);
  for (Index nb = 0; nb < n_blocks; ++nb) {
    const Index first = part(panels, n_blocks, nb), end = part(panels, n_blocks, nb + 1);
    for (Index kb = 0; kb < k_blocks; ++kb) {
      const Index k0 = part(g.k, k_blocks, kb), k1 = part(g.k, k_blocks, kb + 1);
      // Rows that are adjacent in memory put each k on another line, often on another page: copied once, read
      // for all panels.
      const bool pack = slabs > 1 && g.a_k_stride != 1 && end - first > 1 && g.a_k_stride > kGroupFloats;
      for (Index s = 0; s < slabs; s += kSlabsPerGroup) {
        const Index group_end = min(slabs, s + kSlabsPerGroup);
        const Index group_row = part(g.m, slabs, s);
        const float* a = g.a + group_row * g.a_row_stride + k0 * g.a_k_stride;
        if (pack) pack_group(a, g.a_k_stride, part(g.m, slabs, group_end) - group_row, k1 - k0, packed);
        for (Index i = s; i < group_end; ++i) {
          const Index row = part(g.m, slabs, i), rows = part(g.m, slabs, i + 1) - row;
          const float* from = pack ? packed + (row - group_row) : a + (row - group_row) * g.a_row_stride;
          multiply_slab(g,
                        {from, g.a_row_stride, pack ? kGroupFloats : g.a_k_stride, row, rows, k0, k1 - k0,
                         kb == 0, kb == k_blocks - 1},
                        first, end);
        }
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
