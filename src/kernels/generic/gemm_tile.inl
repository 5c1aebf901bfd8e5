// One tile of C in registers over one block of k, and what it asks for meanwhile. A part of gemm.inl, which
// defines what it uses.
//
// The tile does 24 FMAs and 11 loads in a step of k, and what it reads comes from L2 at 16 bytes a cycle; so
// it runs at the peak as long as every line is there in time. The prefetchers of the core follow B, but not
// C, whose rows lie far apart, nor the next slab of A.

constexpr Index kAheadA = 48;  // rows of a transposed A asked for ahead of use: 570 cycles
// Some 80 KiB pass through L1 in a tile. So rows of C, which this tile writes and the next reads, are asked
// for at its end: one of each every so many steps of k, 72 cycles.
constexpr Index kStepsPerRowOfC = 6;
// A tile stops every so many steps, 400 cycles, to ask for lines of the next slab and of the next tile: in
// one burst they would fill the queue of misses and hold up B.
constexpr Index kStepsPerStop = 32;

#define SM_INLINE __attribute__((always_inline))

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

// Lines of A that the next slab reads, on their way to L2.
struct Ahead {
  const float* at = nullptr;
  Index stride = 0;  // from one run of lines to the next
  Index runs = 0, lines = 0;
  Index line = 0;  // of the current run

  Index left() const noexcept { return runs * lines - line; }
  void fetch(Index count) noexcept {
    for (; count > 0 && runs > 0; --count) {
      __builtin_prefetch(at + line * kLineFloats, 0, 2);
      if (++line == lines) {
        line = 0;
        --runs;
        at += stride;
      }
    }
  }
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
  Index ahead;  // rows of B that are asked for ahead of use; 0: the core's prefetchers do
  Ahead* next_slab;
  Index lines;             // of it that this tile asks for at each stop
  const float* next_a;     // of a transposed A that is copied
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

// What the chains of a tile start from.
template <int kRows, int kAll, bool kMasked>
[[gnu::always_inline]] inline void start(const Tile& t, Vec::Reg (&acc)[kRows][kAll]) noexcept {
  const float* in = t.c;
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i, in += t.c_stride) {
#pragma GCC unroll 32
    for (int v = 0; v < kAll; ++v) {
      const float* c = in + v * kLanes;
      const bool last = kMasked && v == kAll - 1;
      acc[i][v] = !t.from_c ? Vec::zero() : last ? Vec::load(c, t.mask) : Vec::load(c);
    }
  }
}

// A row of a tile of C, to be written, on its way to L2 (kLevel 2) or L1 (3).
template <int kAll, int kLevel>
[[gnu::always_inline]] inline void fetch_row(const float* c) noexcept {
#pragma GCC unroll 32
  for (int v = 0; v < kAll; ++v) __builtin_prefetch(c + v * kLanes, 1, kLevel);
}

// What a tile asks for between its steps: lines of the next slab and the next tile's C to L2; at its end, a
// row of both tiles' C at a time to L1.
struct Stops {
  Index end_begins;
  int far = 0, near = 0;  // rows of C asked for

  Stops(const Tile& t, Index rows) noexcept : end_begins(max(0, t.k - (rows + 1) * kStepsPerRowOfC)) {}

  // At step p; returns the step of the next stop.
  template <int kRows, int kAll>
  [[gnu::always_inline]] Index ask(const Tile& t, Index p) noexcept {
    if (p < end_begins) {
      if (t.lines > 0) t.next_slab->fetch(t.lines);
      if (far < kRows) fetch_row<kAll, 2>(t.next_c + far++ * t.c_stride);
      return min(end_begins, p + kStepsPerStop);
    }
    if (near == kRows) return t.k;
    fetch_row<kAll, 3>(t.c + near * t.c_stride);
    fetch_row<kAll, 3>(t.next_c + near++ * t.c_stride);
    return p + kStepsPerRowOfC;
  }
};

// Hides from the compiler how a pointer came about: of a loop that takes several steps at once it would keep
// each address in a register of its own, and has not enough of them.
template <class T>
[[gnu::always_inline]] inline void pin(T*& pointer) noexcept {
  asm("" : "+r"(pointer));
}

// kPanels > 1 makes a row longer than one panel: at M = 1 a single panel would be 3 chains of latency 4 on
// units that start 2 FMAs a cycle. Registers: kRows * vectors accumulators <= 24 of 32 (12 of 16 for AVX2),
// the rest holds A and B. Asking for B (kFetch) where the core's prefetchers follow by themselves costs 1 %.
// kPacked: rows of B lie side by side.
template <class B, int kRows, int kPanels, int kVectors, bool kMasked, bool kUnitK, bool kFetch, bool kPacked>
void tile(const Tile& t) noexcept {
  constexpr int kAll = kPanels * kVectors;
  constexpr int kPerPanel = kPanels > 1 ? int{kPanelVectors} : kAll;
  constexpr bool kCopies = kRows == kTileRows && kPanels == 1 && B::kInPlace;
  constexpr bool kStops = kRows == kTileRows;  // fewer rows are few slabs: C and A hardly count
  // A step keeps either its vectors of B or its values of A in registers.
  constexpr bool kKeepsA = kPanels > 1 && (kRows <= kPerPanel || kAll * (kRows + 1) + 1 > Vec::kRegisters);
  using Element = typename B::Element;
  Vec::Reg acc[kRows][kAll];
  start<kRows, kAll, kMasked>(t, acc);
  const Index k = t.k, b_k = kPacked ? kPanel : t.b_k, b_panel = t.b_panel;
  // Three rows are what one pointer and multiples of a stride reach: a step computes no addresses.
  constexpr int kNearRows = kUnitK && kStepsAtOnce > 1 ? 3 : kRows;
  static_assert(kRows <= 2 * kNearRows);
  const Index a_row = kUnitK ? t.a_row : 1, a_k = kUnitK ? 1 : t.a_k;
  const float *a = t.a, *a_far = a + kNearRows * a_row;
  const auto* b = static_cast<const Element*>(t.b);
  const auto* ahead = b + t.ahead * b_k;
  const auto at = [&](int v) SM_INLINE { return (v / kPerPanel) * b_panel + (v % kPerPanel) * kLanes; };
  const auto load = [&](int v, int s) SM_INLINE {
    const Element* from = b + s * b_k + at(v);
    return kMasked && v == kAll - 1 ? B::load(from, t.mask) : B::load(from);
  };
  const auto fetch = [&](int v, int s) SM_INLINE {
    constexpr Index kLine = 64 / sizeof(Element);
    if (kFetch && v % kPerPanel * kLanes % kLine == 0) __builtin_prefetch(ahead + s * b_k + at(v));
  };
  const auto value = [&](int i, int s) SM_INLINE {
    return Vec::broadcast((i < kNearRows ? a + i * a_row : a_far + (i - kNearRows) * a_row) + s * a_k);
  };
  const auto step = [&](int s) SM_INLINE {
    if constexpr (kKeepsA) {
      Vec::Reg x[kRows];
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) x[i] = value(i, s);
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        fetch(v, s);
        const Vec::Reg w = load(v, s);
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) acc[i][v] = Vec::fma(x[i], w, acc[i][v]);
      }
    } else {
      Vec::Reg w[kAll];
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) {
        fetch(v, s);
        w[v] = load(v, s);
      }
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) {
        const Vec::Reg x = value(i, s);
#pragma GCC unroll 32
        for (int v = 0; v < kAll; ++v) acc[i][v] = Vec::fma_in_place(x, w[v], acc[i][v]);
      }
    }
  };
  const auto advance = [&](Index steps) SM_INLINE {
    a += steps * a_k;
    b += steps * b_k;
    ahead += steps * b_k;
    if constexpr (kStepsAtOnce > 1) pin(a), pin(b);
    if constexpr (kNearRows < kRows) a_far += steps * a_k, pin(a_far);
  };
  float* a_copy = kCopies && !kUnitK ? t.a_copy : nullptr;
  float* b_copy = kCopies ? t.b_copy : nullptr;
  const auto copy = [&](Index p) SM_INLINE {
    if (b_copy != nullptr) {
#pragma GCC unroll 32
      for (int v = 0; v < kAll; ++v) Vec::store(b_copy + v * kLanes, load(v, 0));
      b_copy += kPanel;
    }
    if (a_copy != nullptr) {
      __builtin_prefetch(p + kAheadA < k ? a + kAheadA * a_k : t.next_a + (p + kAheadA - k) * a_k, 0, 2);
      __builtin_memcpy(a_copy, a, sizeof(float) * kTileRows);
      a_copy += kTileRows;
    }
  };
  const bool copying = a_copy != nullptr || b_copy != nullptr;
  const Index rest_ahead = max(0, k - t.ahead);
  Stops stops(t, kRows);
  for (Index p = 0; p < k;) {
    Index end = k;
    if (kFetch && p < rest_ahead) end = rest_ahead;
    if (kFetch && p == rest_ahead) ahead = static_cast<const Element*>(t.next_b);
    if constexpr (kStops) end = min(end, stops.ask<kRows, kAll>(t, p));
    for (; !copying && p + kStepsAtOnce <= end; p += kStepsAtOnce) {
#pragma GCC unroll 8
      for (int s = 0; s < kStepsAtOnce; ++s) step(s);
      advance(kStepsAtOnce);
    }
    for (; p < end; ++p) {
      if (copying) copy(p);
      step(0);
      advance(1);
    }
  }
  finish<kRows, kAll, kMasked>(t, acc);
}

using TileFunction = void (*)(const Tile&) noexcept;

// What of a tile is chosen at run time.
struct TileForm {
  Index rows, panels;    // several panels: kPanelsAtOnce[rows]
  Index vectors;         // of the last, narrower panel
  bool masked;           // it is that one
  bool fetches, packed;  // B
};

template <class B, int kRows, bool kUnitK>
TileFunction tile_for(const TileForm& f) noexcept {
  if constexpr (kPanelsAtOnce[kRows] > 1) {
    constexpr int kPanels = kPanelsAtOnce[kRows];
    if (f.panels > 1)
      return f.packed ? tile<B, kRows, kPanels, kPanelVectors, false, kUnitK, true, true>
                      : tile<B, kRows, kPanels, kPanelVectors, false, kUnitK, true, false>;
  }
  if constexpr (kRows == kTileRows) {
    if (!f.masked && !f.fetches)
      return f.packed ? tile<B, kRows, 1, kPanelVectors, false, kUnitK, false, true>
                      : tile<B, kRows, 1, kPanelVectors, false, kUnitK, false, false>;
  }
  if (!f.masked) return tile<B, kRows, 1, kPanelVectors, false, kUnitK, true, false>;
  if constexpr (kPanelVectors >= 3) {
    if (f.vectors == 3) return tile<B, kRows, 1, 3, true, kUnitK, true, false>;
  }
  return f.vectors == 2 ? tile<B, kRows, 1, 2, true, kUnitK, true, false>
                        : tile<B, kRows, 1, 1, true, kUnitK, true, false>;
}

template <class B, bool kUnitK, int kRows = kTileRows>
TileFunction tile_of_rows(const TileForm& f) noexcept {
  if constexpr (kRows > 1) {
    if (f.rows < kRows) return tile_of_rows<B, kUnitK, kRows - 1>(f);
  }
  return tile_for<B, kRows, kUnitK>(f);
}

TileFunction choose(const GemmArgs& g, const TileForm& f) noexcept {
  if (g.b_type == DType::f16) return tile_of_rows<Stored<DType::f16>, true>(f);
  if (g.b_type == DType::bf16) return tile_of_rows<Stored<DType::bf16>, true>(f);
  return g.a_k_stride == 1 ? tile_of_rows<Stored<DType::f32>, true>(f)
                           : tile_of_rows<Stored<DType::f32>, false>(f);
}
