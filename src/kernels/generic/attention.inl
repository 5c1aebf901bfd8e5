// Attention of one head, forward: out_i = sum_j softmax_j(scale q_i . k_j) v_j over the keys j that the
// query's position p sees: j <= p and, with a window W, j > p - W. With a soft-cap c, c tanh(s / c) takes a
// score's place.
//
// Online softmax (Milakov and Gimelshein, arXiv:1805.02867; blocked as in FlashAttention, arXiv:2205.14135).
// Blocks of keys stand at fixed positions, kBlock each, and for every block
//   m' = max(m, max_j s_j),  p_j = exp(s_j - m'),
//   l = l exp(m - m') + sum_j p_j,  o = o exp(m - m') + sum_j p_j v_j,
// where the sum over a block is a chain of its own. The blocks of a span of kAttentionSpan keys follow one
// another like this; what spans leave, (m, l, o), is merged in ascending order by the same formula, whoever
// computed them. So a row's bits depend only on its own position and on the keys that it sees: decoding a row
// alone and computing it inside a prompt give the same bits. p is exactly 0 where masked, and a masked key
// next to a visible one adds exactly nothing; blocks that no row of a tile sees are not touched, and nothing
// beyond the panel of the last visible key is read. The last block of a row divides by l as it leaves the
// registers, so that rows with one block (short contexts) never read o again. Queries go in blocks of
// kQueryBlock, so that a block of K and V serves them all from L1/L2.

namespace smallmind {
namespace {

constexpr Index kBlock = 64;
constexpr Index kQueryTiles = 11;  // 66 rows: a context of 64 is one block
constexpr Index kQueryBlock = kQueryTiles * kTileRows;
constexpr Index kMostWidth = 256;
constexpr Index kPad = 16;  // numbers per row are handled in whole groups of so many
constexpr Index kRowRoom = (kQueryBlock + kPad - 1) / kPad * kPad;

constexpr Index least(Index a, Index b) {
  return a < b ? a : b;
}
constexpr Index most(Index a, Index b) {
  return a > b ? a : b;
}
constexpr Index whole_panels(Index keys) {
  return (keys + kKeyPanel - 1) / kKeyPanel * kKeyPanel;
}

constexpr float kLowest = -__FLT_MAX__;
constexpr float kLn2 = 0x1.62e43p-1f;

// Up to kQueryBlock rows against one span: where they begin, their running softmax in powers of two, p = 2^(c
// s - m) with c = scale * log2(e), and o. A row that has seen no key of the span yet: m = kLowest.
struct SpanWork {
  Index first, end, span;
  bool whole;  // the rows see nothing but this span: out and log_sum_exp are written
  float* o;    // (rows, K); not of tiles that one block completes, where `whole`
  Index o_stride;
  Index room() const { return (end - first + kPad - 1) / kPad * kPad; }
  alignas(64) float maximum[kRowRoom];          // m
  alignas(64) float sums[kQueryBlock][kWidth];  // l, per lane
};

// Keys from .. to of a tile that a row sees; none where from >= to.
struct Visible {
  Index from, to;
};

// How much of a tile its rows see: all of it; keys up to a bound per row; keys between two bounds.
enum class Edge { none, last, both };

// 0, 1, 2, ...: the keys of a tile, to hold against a row's bounds.
constexpr struct Lanes {
  float number[kBlock];
  constexpr Lanes() : number{} {
    for (Index i = 0; i < kBlock; ++i) number[i] = static_cast<float>(i);
  }
} kLanes;

// A row's bounds as vectors, so that a mask is one comparison.
template <Edge kEdge>
struct Bounds {
  Vec from, to;
  explicit Bounds(const Visible& v)
      : from(set(kEdge == Edge::both ? static_cast<float>(v.from) : 0.0f)),
        to(set(kEdge == Edge::none ? 0.0f : static_cast<float>(v.to))) {}

  // x for visible keys, `other` for the rest; lane 0 is key j.
  [[gnu::always_inline]] Vec keep(Index j, Vec x, Vec other) const {
    if constexpr (kEdge == Edge::none) return x;
    const Vec lanes = load(kLanes.number + j), below = select(less(lanes, to), x, other);
    return kEdge == Edge::both ? select(less(lanes, from), other, below) : below;
  }
};

// f.operator()<panels, edge>() for a tile of 1 to 4 panels: with both known to the compiler, the loops over
// short rows have no branches, whose mispredictions cost more than the work does.
template <class Tile, class F>
[[gnu::always_inline]] inline void with_tile(const Tile& tile, F f) {
  const Index panels = whole_panels(tile.end - tile.begin) / kKeyPanel;
  const Edge edge = tile.edge;
  const auto with_edge = [&]<int kPanels>() {
    if (edge == Edge::none) return f.template operator()<kPanels, Edge::none>();
    if (edge == Edge::last) return f.template operator()<kPanels, Edge::last>();
    return f.template operator()<kPanels, Edge::both>();
  };
  if (panels == 1) return with_edge.template operator()<1>();
  if (panels == 2) return with_edge.template operator()<2>();
  if (panels == 3) return with_edge.template operator()<3>();
  return with_edge.template operator()<4>();
}
static_assert(kBlock == 4 * kKeyPanel);

inline Index position_of(const AttentionArgs& x, Index row) {
  return x.first_position + row * x.position_step;
}
inline Index first_key(const AttentionForm& form, Index position) {
  return form.window > 0 ? most(0, position - form.window + 1) : 0;
}

// c tanh(s / c) of each score; not inlined, because few models ask for it.
[[gnu::noinline]] void cap_scores(float* scores, Index rows, Index cols, const AttentionForm& form) {
  const Vec inner = set(form.scale / form.soft_cap), outer = set(form.soft_cap);
  for (Index i = 0; i < rows; ++i) {
    float* row = scores + i * kBlock;
    for (Index j = 0; j < cols; j += kWidth) store(row + j, tanh(load(row + j) * inner) * outer);
  }
}

// A tile of rows against one block of keys.
struct ForwardTile {
  Index row, rows;   // of the call; none: the tile sees nothing of the block
  Index begin, end;  // keys
  Edge edge;
  bool fresh;  // its first block of the span
  bool last;   // its last block of the span
};

// The keys of a tile that its row i sees.
inline Visible visible_to(const AttentionArgs& x, const ForwardTile& tile, Index i) {
  const Index position = position_of(x, tile.row + i);
  return {first_key(x.form, position) - tile.begin, position - tile.begin + 1};
}

// The greatest visible score of each row of a tile (rows, cols of kBlock); -inf where there is none.
template <int kPanels, Edge kEdge>
void row_maxima(const AttentionArgs& x, const ForwardTile& tile, const float* scores, float* tops) {
  const Vec lowest = set(-kInfinity);
  for (Index i = 0; i < tile.rows; ++i, scores += kBlock) {
    const Bounds<kEdge> bounds(visible_to(x, tile, i));
    Vec top = lowest;
    SM_UNROLL for (int j = 0; j < kPanels * kKeyPanel; j += kWidth) top =
        max(top, bounds.keep(j, load(scores + j), lowest));
    tops[i] = maximum(top);
  }
}

// Scores of a tile -> p in place, and the new l. `c` turns a score into a power of two.
template <int kPanels, Edge kEdge>
void exponentiate(const AttentionArgs& x, const ForwardTile& tile, float c, float* scores, const float* tops,
                  float (*sums)[kWidth], const float* factors) {
  const Vec factor = set(c);
  for (Index i = 0; i < tile.rows; ++i, scores += kBlock) {
    const Bounds<kEdge> bounds(visible_to(x, tile, i));
    const Vec minus_top = set(-tops[i]);
    Vec total = zero();
    SM_UNROLL for (int j = 0; j < kPanels * kKeyPanel; j += kWidth) {
      const Vec p = bounds.keep(j, exp2(mul_add(load(scores + j), factor, minus_top)), zero());
      store(scores + j, p);
      total = total + p;
    }
    store(sums[i], tile.fresh ? total : mul_add(load(sums[i]), set(factors[i]), total));
  }
}

void score_tile(const AttentionArgs& x, const ForwardTile& tile, float* scores) {
  const Index cols = whole_panels(tile.end - tile.begin);
  multiply({.rows = tile.rows,
            .cols = cols,
            .depth = x.head_width,
            .a = x.q + tile.row * x.q_stride,
            .a_row_stride = x.q_stride,
            .a_k_stride = 1,
            .b = x.key_panels + tile.begin * x.head_width,
            .b_panel_stride = kKeyPanel * x.head_width,
            .b_k_stride = kKeyPanel,
            .c = scores,
            .c_stride = kBlock});
  if (x.form.soft_cap > 0) cap_scores(scores, tile.rows, cols, x.form);
}

// What rows row .. row + rows see of a block of the span that begins at `span`.
ForwardTile tile_of(const AttentionArgs& x, Index row, Index rows, Index block, Index span) {
  const Index top = position_of(x, row), bottom = position_of(x, row + rows - 1);
  const Index low = first_key(x.form, top);
  const Index begin = most(block, low / kKeyPanel * kKeyPanel), end = least(block + kBlock, bottom + 1);
  const bool above = first_key(x.form, bottom) > begin, below = top + 1 < begin + whole_panels(end - begin);
  return {row,
          begin < end ? rows : 0,
          begin,
          end,
          above   ? Edge::both
          : below ? Edge::last
                  : Edge::none,
          block == most(span, low / kBlock * kBlock),
          block + kBlock > least(bottom, span + kAttentionSpan - 1)};
}

// ln x of a positive normal number, relative error 1e-7, NaN of a NaN: x = 2^n m, ln m = 2 artanh(s), s = (m
// - 1) / (m + 1), |s| <= 0.172. Without branches, so that a loop over it becomes vectors; a call of libm per
// row would cost as much as a row of short scores.
inline float natural_log(float x) {
  constexpr std::int32_t kRootHalf = 0x3f3504f3;
  std::int32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const std::int32_t power = (bits - kRootHalf) & ~0x7fffff;
  bits -= power;
  float m;
  __builtin_memcpy(&m, &bits, sizeof m);
  const float s = (m - 1) / (m + 1), z = s * s;
  const float tail = z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
  const float log = static_cast<float>(power >> 23) * kLn2 + 2 * (s + s * tail);
  return x < kInfinity ? log : x;
}

// log_sum_exp = m ln 2 + ln l.
void finish_sums(const AttentionArgs& x, const SpanWork& work, const float* totals) {
  if (x.log_sum_exp == nullptr) return;
  alignas(64) float logs[kRowRoom];
  for (Index i = 0; i < work.room(); ++i) logs[i] = work.maximum[i] * kLn2 + natural_log(totals[i]);
  for (Index i = 0; i < work.end - work.first; ++i) x.log_sum_exp[work.first + i] = logs[i];
}

void mix_tile(const AttentionArgs& x, const SpanWork& work, const ForwardTile& tile, const float* p,
              const float* factors, const float* scales) {
  float* o = work.o + (tile.row - work.first) * work.o_stride;
  multiply({.rows = tile.rows,
            .cols = x.head_width,
            .depth = tile.end - tile.begin,
            .a = p,
            .a_row_stride = kBlock,
            .a_k_stride = 1,
            .b = x.v + tile.begin * x.v_stride,
            .b_panel_stride = kKeyPanel,
            .b_k_stride = x.v_stride,
            .c = scales == nullptr ? o : x.out + tile.row * x.out_stride,
            .c_stride = scales == nullptr ? work.o_stride : x.out_stride,
            .factors = tile.fresh ? nullptr : factors,
            .earlier = o,
            .earlier_stride = work.o_stride,
            .scales = scales});
}

// The scores of a block -> p, l and m of the rows of all tiles; factors[row] = 2^(m - m'), by which o and l
// shrink.
void softmax_block(const AttentionArgs& x, const ForwardTile* tiles, Index count, float* scores,
                   SpanWork& work, float* factors) {
  alignas(64) float tops[kRowRoom];
  for (Index i = 0; i < work.room(); ++i) tops[i] = -kInfinity;
  for (Index t = 0, row = 0; t < count; ++t, row += kTileRows) {
    if (tiles[t].rows == 0) continue;
    with_tile(tiles[t], [&]<int kPanels, Edge kEdge>() {
      row_maxima<kPanels, kEdge>(x, tiles[t], scores + row * kBlock, tops + row);
    });
  }
  const float c = x.form.soft_cap > 0 ? kLog2E : x.form.scale * kLog2E;
  for (Index row = 0; row < work.room(); row += kWidth) {  // a row that sees no key of the block keeps its m
    const Vec before = load(work.maximum + row), top = max(load(tops + row) * set(c), before);
    store(factors + row, exp2(before - top));
    store(work.maximum + row, top);
  }
  for (Index t = 0, row = 0; t < count; ++t, row += kTileRows) {
    if (tiles[t].rows == 0) continue;
    with_tile(tiles[t], [&]<int kPanels, Edge kEdge>() {
      exponentiate<kPanels, kEdge>(x, tiles[t], c, scores + row * kBlock, work.maximum + row, work.sums + row,
                                   factors + row);
    });
  }
}

// The rows of `work` against its span. The steps each run over all tiles: within a tile every one waits for
// the one before it. Of a tile that sees nothing here, nothing is written. The last block of a whole row
// divides by l on the way out, so that a short context never reads o again.
void attend_span(const AttentionArgs& x, SpanWork& work) {
  alignas(64) float scores[kQueryBlock * kBlock];
  alignas(64) float factors[kRowRoom], totals[kRowRoom], scales[kRowRoom];
  ForwardTile tiles[kQueryTiles];
  for (Index i = 0; i < work.room(); ++i) work.maximum[i] = kLowest, totals[i] = 1.0f;
  const Index count = (work.end - work.first + kTileRows - 1) / kTileRows, begin = work.span * kAttentionSpan;
  const Index span_end = least(begin + kAttentionSpan, position_of(x, work.end - 1) + 1);
  const Index low = first_key(x.form, position_of(x, work.first));
  for (Index block = most(begin, low / kBlock * kBlock); block < span_end; block += kBlock) {
    for (Index t = 0; t < count; ++t) {
      const Index row = work.first + t * kTileRows;
      tiles[t] = tile_of(x, row, least(kTileRows, work.end - row), block, begin);
      if (tiles[t].rows > 0) score_tile(x, tiles[t], scores + t * kTileRows * kBlock);
    }
    softmax_block(x, tiles, count, scores, work, factors);
    if (work.whole) {
      for (Index t = 0, row = 0; t < count; ++t, row += kTileRows) {
        for (Index i = 0; i < tiles[t].rows && tiles[t].last; ++i)
          totals[row + i] = sum(load(work.sums[row + i]));
      }
      for (Index i = 0; i < work.room(); ++i) scales[i] = 1.0f / totals[i];
    }
    for (Index t = 0, row = 0; t < count; ++t, row += kTileRows) {
      if (tiles[t].rows > 0)
        mix_tile(x, work, tiles[t], scores + row * kBlock, factors + row,
                 work.whole && tiles[t].last ? scales + row : nullptr);
    }
  }
  if (work.whole) finish_sums(x, work, totals);
}

// (m, l, o) of the spans so far and of one more; o is the row of x.out.
struct Merged {
  float top, total;
  bool empty;
};

float power_of_two(float x) {
  alignas(64) float lanes[kPad];
  store(lanes, exp2(set(x)));
  return lanes[0];
}

void merge_row(const AttentionArgs& x, Index row, const float* o, float top, float total, Merged& merged) {
  float* out = x.out + row * x.out_stride;
  const float both = merged.empty || top > merged.top ? top : merged.top;
  const float old_factor = merged.empty ? 0.0f : power_of_two(merged.top - both),
              new_factor = power_of_two(top - both);
  const Vec a = set(old_factor), b = set(new_factor);
  const auto mix = [&](Vec old, Vec added) { return merged.empty ? added : mul_add(old, a, added * b); };
  Index d = 0;
  for (; d + kWidth <= x.head_width; d += kWidth) store(out + d, mix(load(out + d), load(o + d)));
  const Index rest = x.head_width - d;
  if (rest > 0) store_n(out + d, mix(load_n(out + d, rest), load_n(o + d, rest)), rest);
  merged = {both, merged.empty ? total : merged.total * old_factor + total * new_factor, false};
}

void scale_row(float* row, float by, Index n) {
  const Vec factor = set(by);
  Index d = 0;
  for (; d + kWidth <= n; d += kWidth) store(row + d, load(row + d) * factor);
  if (d < n) store_n(row + d, load_n(row + d, n - d) * factor, n - d);
}

// Whether a query at `position` sees a key of the span.
bool sees_span(const AttentionArgs& x, Index position, Index span) {
  return position >= span * kAttentionSpan && first_key(x.form, position) < (span + 1) * kAttentionSpan;
}

// Rows first .. end (at most kQueryBlock), which see several spans.
void forward_spans(const AttentionArgs& x, SpanWork& work) {
  const Index first = work.first, end = work.end;
  Merged merged[kQueryBlock];
  for (Merged& row : merged) row = {0, 0, true};
  const Index last = position_of(x, end - 1) / kAttentionSpan;
  for (work.span = first_key(x.form, position_of(x, first)) / kAttentionSpan; work.span <= last;
       ++work.span) {
    if (x.partials == nullptr) attend_span(x, work);
    for (Index row = first; row < end; ++row) {
      if (!sees_span(x, position_of(x, row), work.span)) continue;
      const Index i = row - first;
      if (x.partials == nullptr) {
        merge_row(x, row, work.o + i * x.head_width, work.maximum[i], sum(load(work.sums[i])), merged[i]);
      } else {
        const float* o = x.partials + (work.span * x.rows + row) * (x.head_width + 2);
        merge_row(x, row, o, o[x.head_width], o[x.head_width + 1], merged[i]);
      }
    }
  }
  alignas(64) float totals[kRowRoom] = {};
  for (Index row = first; row < end; ++row) {
    work.maximum[row - first] = merged[row - first].top;
    totals[row - first] = merged[row - first].total;
    scale_row(x.out + row * x.out_stride, 1.0f / merged[row - first].total, x.head_width);
  }
  finish_sums(x, work, totals);
}

void attention_span(const AttentionArgs& x, Index span) noexcept {
  alignas(64) SpanWork work;
  const Index stride = x.head_width + 2;
  for (Index first = 0; first < x.rows; first += kQueryBlock) {
    float* partial = x.partials + (span * x.rows + first) * stride;
    work.first = first, work.end = least(first + kQueryBlock, x.rows), work.span = span, work.whole = false;
    work.o = partial, work.o_stride = stride;
    attend_span(x, work);
    for (Index i = 0; i < work.end - first; ++i) {
      partial[i * stride + x.head_width] = work.maximum[i];
      partial[i * stride + x.head_width + 1] = sum(load(work.sums[i]));
    }
  }
}

void attention_forward(const AttentionArgs& x) noexcept {
  alignas(64) SpanWork work;
  // Rows of out often lie a multiple of 1 KiB apart, where few sets of the L1 would hold all of them.
  alignas(64) float o[kQueryBlock * kMostWidth];
  work.o = o, work.o_stride = x.head_width;
  for (Index first = 0; first < x.rows; first += kQueryBlock) {
    work.first = first, work.end = least(first + kQueryBlock, x.rows);
    work.span = position_of(x, work.end - 1) / kAttentionSpan;
    work.whole =
        x.partials == nullptr && first_key(x.form, position_of(x, first)) / kAttentionSpan == work.span;
    if (work.whole) {
      attend_span(x, work);
    } else {
      forward_spans(x, work);
    }
  }
}

}  // namespace
}  // namespace smallmind
