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
// beyond the panel of the last visible key is read. Queries go in blocks of kQueryBlock, so that a block of K
// and V serves them all from L1/L2.

namespace smallmind {
namespace {

constexpr Index kBlock = 64;
constexpr Index kQueryTiles = 11;  // 66 rows: a context of 64 is one block
constexpr Index kQueryBlock = kQueryTiles * kTileRows;
constexpr Index kMostWidth = 256;
constexpr Index kPad = 16;  // room for the widest vector behind a tile's per-row numbers

constexpr Index least(Index a, Index b) {
  return a < b ? a : b;
}
constexpr Index most(Index a, Index b) {
  return a > b ? a : b;
}
constexpr Index whole_panels(Index keys) {
  return (keys + kKeyPanel - 1) / kKeyPanel * kKeyPanel;
}

typedef float Quad __attribute__((vector_size(16)));

// Transposes keys k .. k + 3 of a panel, four components at a time: one shuffle per two elements instead of a
// scattered store each.
void pack_quads(const float* keys, Index stride, Index head_width, float* panel) {
  for (Index d = 0; d + 4 <= head_width; d += 4) {
    Quad r[4];
    for (int i = 0; i < 4; ++i) __builtin_memcpy(&r[i], keys + i * stride + d, sizeof(Quad));
    const Quad a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5),
               b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const Quad e = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7),
               f = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    const Quad t[4] = {__builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7),
                       __builtin_shufflevector(e, f, 0, 1, 4, 5), __builtin_shufflevector(e, f, 2, 3, 6, 7)};
    for (int i = 0; i < 4; ++i) __builtin_memcpy(panel + (d + i) * kKeyPanel, &t[i], sizeof(Quad));
  }
  for (Index d = head_width / 4 * 4; d < head_width; ++d) {
    for (Index i = 0; i < 4; ++i) panel[d * kKeyPanel + i] = keys[i * stride + d];
  }
}

// Transposes a whole panel, 16 components at a time, where a vector holds 16: 64 shuffles for 256 elements,
// half of what quads take. First pairs, then quads of rows are interleaved within the 128-bit lanes; then the
// 4 x 4 matrix of lanes is transposed.
template <class V>
void pack_panel(const float* keys, Index stride, Index head_width, float* panel) {
  for (Index d = 0; d < head_width; d += 16, panel += 16 * kKeyPanel) {
    V r[16], t[16];
    for (int i = 0; i < 16; ++i) __builtin_memcpy(&r[i], keys + i * stride + d, sizeof(V));
    for (int i = 0; i < 16; i += 2) {
      t[i] =
          __builtin_shufflevector(r[i], r[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
      t[i + 1] =
          __builtin_shufflevector(r[i], r[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
    }
    for (int i = 0; i < 16; i += 4) {
      for (int j = 0; j < 2; ++j) {
        const V a = t[i + j], b = t[i + j + 2];
        r[i + 2 * j] =
            __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        r[i + 2 * j + 1] =
            __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
      }
    }
    for (int j = 0; j < 4; ++j) {
      const V a =
          __builtin_shufflevector(r[j], r[j + 4], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      const V b =
          __builtin_shufflevector(r[j], r[j + 4], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
      const V c = __builtin_shufflevector(r[j + 8], r[j + 12], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24,
                                          25, 26, 27);
      const V e = __builtin_shufflevector(r[j + 8], r[j + 12], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28,
                                          29, 30, 31);
      t[j] = __builtin_shufflevector(a, c, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      t[j + 8] = __builtin_shufflevector(a, c, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
      t[j + 4] = __builtin_shufflevector(b, e, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      t[j + 12] = __builtin_shufflevector(b, e, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
    for (int i = 0; i < 16; ++i) __builtin_memcpy(panel + i * kKeyPanel, &t[i], sizeof(V));
  }
}

void pack_keys(const float* keys, Index stride, Index count, Index head_width, Index first,
               float* panels) noexcept {
  Index i = 0;
  while (i < count) {
    const Index position = first + i;
    float* panel = panels + position / kKeyPanel * kKeyPanel * head_width + position % kKeyPanel;
    if constexpr (kWidth == 16) {
      if (position % 16 == 0 && i + 16 <= count && head_width % 16 == 0) {
        pack_panel<Vec>(keys + i * stride, stride, head_width, panel);
        i += 16;
        continue;
      }
    }
    if (position % 4 == 0 && i + 4 <= count) {
      pack_quads(keys + i * stride, stride, head_width, panel);
      i += 4;
    } else {
      for (Index d = 0; d < head_width; ++d) panel[d * kKeyPanel] = keys[i * stride + d];
      i += 1;
    }
  }
}

// Running softmax of up to kTileRows rows, in powers of two: p = 2^(c s - m), c = scale * log2(e). A row that
// has seen no key yet: m = kLowest, l = 0, o = 0.
constexpr float kLowest = -__FLT_MAX__;
constexpr float kLn2 = 0x1.62e43p-1f;
struct SoftmaxState {
  float maximum[kPad];            // m
  float sums[kTileRows][kWidth];  // l, per lane
};

// All lanes below n; none for n <= 0.
inline Mask lanes_below(Index n) {
  static constexpr float kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return less(load(kLane), set(static_cast<float>(n)));
}

// The keys from .. to of a block that a row sees.
struct Visible {
  Index from, to;
};

// x for visible keys, `other` for the rest; lane 0 is key j.
inline Vec keep(Visible v, Index j, Vec x, Vec other) {
  const Vec below = v.to < j + kWidth ? select(lanes_below(v.to - j), x, other) : x;
  return v.from > j ? select(lanes_below(v.from - j), other, below) : below;
}

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
  bool fresh;        // its first block of the span
};

// Scores (rows, cols of kBlock) -> p in place. factors[i] = 2^(m - m'), by which o and l shrink; a fresh tile
// has none. `c` turns a score into a power of two.
void softmax_tile(const AttentionArgs& x, const ForwardTile& tile, float c, float* scores,
                  SoftmaxState& state, float* factors) {
  const Vec lowest = set(-kInfinity);
  const Index keys = tile.end - tile.begin;
  Visible visible[kTileRows];
  float tops[kPad] = {};
  for (Index i = 0; i < tile.rows; ++i) {
    const Index position = position_of(x, tile.row + i);
    const Visible sees = {first_key(x.form, position) - tile.begin, least(position - tile.begin + 1, keys)};
    Vec top = lowest;
    for (Index j = 0; j < sees.to; j += kWidth)
      top = max(top, keep(sees, j, load(scores + i * kBlock + j), lowest));
    const bool any = sees.from < sees.to;
    const float block_top = maximum(top) * c;
    if (tile.fresh) {
      tops[i] = any ? block_top : kLowest;
    } else {
      tops[i] = any && block_top > state.maximum[i] ? block_top : state.maximum[i];
    }
    visible[i] = sees;
  }
  for (Index i = 0; i < tile.rows && !tile.fresh; i += kWidth)
    store(factors + i, exp2(load(state.maximum + i) - load(tops + i)));
  for (Index i = 0; i < tile.rows; ++i) {
    float* row = scores + i * kBlock;
    Vec total = zero();
    Index j = 0;
    for (; j < visible[i].to; j += kWidth) {
      const Vec p = keep(visible[i], j, exp2(mul_add(load(row + j), set(c), set(-tops[i]))), zero());
      store(row + j, p);
      total = total + p;
    }
    for (; j < keys; j += kWidth) store(row + j, zero());
    store(state.sums[i], tile.fresh ? total : mul_add(load(state.sums[i]), set(factors[i]), total));
    state.maximum[i] = tops[i];
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
            .c_stride = kBlock,
            .accumulate = false,
            .factors = nullptr});
  if (x.form.soft_cap > 0) cap_scores(scores, tile.rows, cols, x.form);
}

void mix_tile(const AttentionArgs& x, const ForwardTile& tile, const float* p, const float* factors,
              float* out, Index out_stride) {
  multiply({.rows = tile.rows,
            .cols = x.head_width,
            .depth = tile.end - tile.begin,
            .a = p,
            .a_row_stride = kBlock,
            .a_k_stride = 1,
            .b = x.v + tile.begin * x.v_stride,
            .b_panel_stride = kKeyPanel,
            .b_k_stride = x.v_stride,
            .c = out,
            .c_stride = out_stride,
            .accumulate = false,
            .factors = tile.fresh ? nullptr : factors});
}

// What rows row .. row + rows see of a block of the span that begins at `span`.
ForwardTile tile_of(const AttentionArgs& x, Index row, Index rows, Index block, Index span) {
  const Index last = position_of(x, row + rows - 1), low = first_key(x.form, position_of(x, row));
  const Index begin = most(block, low / kKeyPanel * kKeyPanel), end = least(block + kBlock, last + 1);
  return {row, begin < end ? rows : 0, begin, end, block == most(span, low / kBlock * kBlock)};
}

// Rows first .. end (at most kQueryBlock) against one span. o of row `first` is at `out`; of a tile that sees
// nothing here, nothing is written. The three steps each run over all tiles: within a tile every one waits
// for the one before it.
void attend_span(const AttentionArgs& x, Index first, Index end, Index span, SoftmaxState* states, float* out,
                 Index out_stride) {
  alignas(64) float scores[kQueryBlock * kBlock];
  alignas(64) float factors[kQueryTiles][kPad];
  ForwardTile tiles[kQueryTiles];
  const float c = x.form.soft_cap > 0 ? kLog2E : x.form.scale * kLog2E;
  const Index count = (end - first + kTileRows - 1) / kTileRows, begin = span * kAttentionSpan;
  const Index span_end = least(begin + kAttentionSpan, position_of(x, end - 1) + 1);
  const Index low = first_key(x.form, position_of(x, first));
  for (Index block = most(begin, low / kBlock * kBlock); block < span_end; block += kBlock) {
    for (Index t = 0; t < count; ++t) {
      const Index row = first + t * kTileRows;
      tiles[t] = tile_of(x, row, least(kTileRows, end - row), block, begin);
      if (tiles[t].rows > 0) score_tile(x, tiles[t], scores + t * kTileRows * kBlock);
    }
    for (Index t = 0; t < count; ++t) {
      if (tiles[t].rows > 0)
        softmax_tile(x, tiles[t], c, scores + t * kTileRows * kBlock, states[t], factors[t]);
    }
    for (Index t = 0; t < count; ++t) {
      if (tiles[t].rows > 0)
        mix_tile(x, tiles[t], scores + t * kTileRows * kBlock, factors[t], out + t * kTileRows * out_stride,
                 out_stride);
    }
  }
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

// out = o / l, log_sum_exp = m ln 2 + ln l for up to kPad rows from `row` on, all with one division and one
// logarithm; o may be out.
void finish_rows(const AttentionArgs& x, Index row, Index rows, const float* tops, const float* totals,
                 const float* o, Index o_stride) {
  alignas(64) float inverse[kPad];
  for (Index i = 0; i < kPad; ++i) inverse[i] = 1.0f / totals[i];
  for (Index i = 0; i < rows; ++i) {
    const Vec factor = set(inverse[i]);
    float* out = x.out + (row + i) * x.out_stride;
    const float* from = o + i * o_stride;
    Index d = 0;
    for (; d + kWidth <= x.head_width; d += kWidth) store(out + d, load(from + d) * factor);
    const Index rest = x.head_width - d;
    if (rest > 0) store_n(out + d, load_n(from + d, rest) * factor, rest);
  }
  if (x.log_sum_exp == nullptr) return;
  alignas(64) float logs[kPad];
  for (Index i = 0; i < kPad; ++i) logs[i] = tops[i] * kLn2 + natural_log(totals[i]);
  for (Index i = 0; i < rows; ++i) x.log_sum_exp[row + i] = logs[i];
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

// Whether a query at `position` sees a key of the span.
bool sees_span(const AttentionArgs& x, Index position, Index span) {
  return position >= span * kAttentionSpan && first_key(x.form, position) < (span + 1) * kAttentionSpan;
}

// Rows first .. end (at most kQueryBlock), which see several spans.
void forward_spans(const AttentionArgs& x, Index first, Index end) {
  alignas(64) SoftmaxState states[kQueryTiles];
  alignas(64) float partial[kQueryBlock * kMostWidth];
  Merged merged[kQueryBlock];
  for (Merged& row : merged) row = {0, 0, true};
  const Index last = position_of(x, end - 1) / kAttentionSpan;
  for (Index span = first_key(x.form, position_of(x, first)) / kAttentionSpan; span <= last; ++span) {
    if (x.partials == nullptr) attend_span(x, first, end, span, states, partial, x.head_width);
    for (Index row = first; row < end; ++row) {
      if (!sees_span(x, position_of(x, row), span)) continue;
      const Index i = row - first;
      if (x.partials == nullptr) {
        const SoftmaxState& state = states[i / kTileRows];
        merge_row(x, row, partial + i * x.head_width, state.maximum[i % kTileRows],
                  sum(load(state.sums[i % kTileRows])), merged[i]);
      } else {
        const float* o = x.partials + (span * x.rows + row) * (x.head_width + 2);
        merge_row(x, row, o, o[x.head_width], o[x.head_width + 1], merged[i]);
      }
    }
  }
  for (Index row = first; row < end; row += kPad) {
    alignas(64) float tops[kPad] = {}, totals[kPad] = {};
    const Index rows = least(kPad, end - row);
    for (Index i = 0; i < rows; ++i) {
      tops[i] = merged[row - first + i].top;
      totals[i] = merged[row - first + i].total;
    }
    finish_rows(x, row, rows, tops, totals, x.out + row * x.out_stride, x.out_stride);
  }
}

void attention_span(const AttentionArgs& x, Index span) noexcept {
  alignas(64) SoftmaxState states[kQueryTiles];
  for (Index first = 0; first < x.rows; first += kQueryBlock) {
    const Index end = least(first + kQueryBlock, x.rows), stride = x.head_width + 2;
    float* partial = x.partials + (span * x.rows + first) * stride;
    attend_span(x, first, end, span, states, partial, stride);
    for (Index i = 0; i < end - first; ++i) {
      const SoftmaxState& state = states[i / kTileRows];
      partial[i * stride + x.head_width] = state.maximum[i % kTileRows];
      partial[i * stride + x.head_width + 1] = sum(load(state.sums[i % kTileRows]));
    }
  }
}

void attention_forward(const AttentionArgs& x) noexcept {
  alignas(64) SoftmaxState states[kQueryTiles];
  // Rows of out often lie a multiple of 1 KiB apart, where few sets of the L1 would hold all of them.
  alignas(64) float o[kQueryBlock * kMostWidth];
  for (Index first = 0; first < x.rows; first += kQueryBlock) {
    const Index end = least(first + kQueryBlock, x.rows);
    const Index span = position_of(x, end - 1) / kAttentionSpan;
    if (x.partials != nullptr || first_key(x.form, position_of(x, first)) / kAttentionSpan != span) {
      forward_spans(x, first, end);
      continue;
    }
    attend_span(x, first, end, span, states, o, x.head_width);
    for (Index row = first; row < end; row += kTileRows) {
      const SoftmaxState& state = states[(row - first) / kTileRows];
      alignas(64) float totals[kPad] = {};
      const Index rows = least(kTileRows, end - row);
      for (Index i = 0; i < rows; ++i) totals[i] = sum(load(state.sums[i]));
      finish_rows(x, row, rows, state.maximum, totals, o + (row - first) * x.head_width, x.head_width);
    }
  }
}

}  // namespace
}  // namespace smallmind
