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
constexpr Index kQueryBlock = 8 * kTileRows;
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

void pack_keys(const float* keys, Index stride, Index count, Index head_width, Index first,
               float* panels) noexcept {
  Index i = 0;
  while (i < count) {
    const Index position = first + i;
    float* panel = panels + position / kKeyPanel * kKeyPanel * head_width + position % kKeyPanel;
    if (position % 4 == 0 && i + 4 <= count) {
      pack_quads(keys + i * stride, stride, head_width, panel);
      i += 4;
    } else {
      for (Index d = 0; d < head_width; ++d) panel[d * kKeyPanel] = keys[i * stride + d];
      i += 1;
    }
  }
}

// Running softmax of up to kTileRows rows. A row that has seen no key yet: m = kLowest, l = 0, o = 0.
constexpr float kLowest = -__FLT_MAX__;
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
  const Vec below = select(lanes_below(v.to - j), x, other);
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

// Scores (rows, cols of kBlock) -> p in place. factors[i] = exp(m - m'), by which o and l shrink; a fresh
// tile has none. Not inlined: every caller must run the same instructions.
[[gnu::noinline]] void softmax_block(float* scores, Index rows, const Visible* visible, Index cols,
                                     float scale, bool fresh, SoftmaxState& state, float* factors) {
  const Vec lowest = set(-kInfinity);
  float tops[kPad] = {};
  for (Index i = 0; i < rows; ++i) {
    Vec top = lowest;
    for (Index j = 0; j < cols; j += kWidth)
      top = max(top, keep(visible[i], j, load(scores + i * kBlock + j), lowest));
    const float block_top = maximum(top) * scale;
    const bool sees = visible[i].from < visible[i].to;
    if (fresh) {
      tops[i] = sees ? block_top : kLowest;
    } else {
      tops[i] = sees && block_top > state.maximum[i] ? block_top : state.maximum[i];
    }
  }
  for (Index i = 0; i < rows && !fresh; i += kWidth) {
    store(factors + i, exp_bounded(load(state.maximum + i) - load(tops + i)));
  }
  for (Index i = 0; i < rows; ++i) {
    float* row = scores + i * kBlock;
    Vec total = zero();
    for (Index j = 0; j < cols; j += kWidth) {
      const Vec p = exp_bounded(mul_add(load(row + j), set(scale), set(-tops[i])));
      const Vec kept = keep(visible[i], j, p, zero());
      store(row + j, kept);
      total = total + kept;
    }
    store(state.sums[i], fresh ? total : mul_add(load(state.sums[i]), set(factors[i]), total));
    state.maximum[i] = tops[i];
  }
}

// Rows row .. row + rows of the call (at most kTileRows) against the keys of one block of a span; o of the
// first of them is at `out`.
void forward_tile(const AttentionArgs& x, Index row, Index rows, Index block, Index span_begin,
                  SoftmaxState& state, float* out, Index out_stride) {
  const Index last = position_of(x, row + rows - 1), low = first_key(x.form, position_of(x, row));
  const Index begin = most(block, low / kKeyPanel * kKeyPanel), end = least(block + kBlock, last + 1);
  if (begin >= end) return;
  alignas(64) float scores[kTileRows * kBlock];
  alignas(64) float factors[kPad];
  const Index keys = end - begin, cols = whole_panels(keys);
  const bool fresh = block == most(span_begin, low / kBlock * kBlock);
  Visible visible[kTileRows];
  for (Index i = 0; i < rows; ++i) {
    const Index position = position_of(x, row + i);
    visible[i] = {first_key(x.form, position) - begin, least(position - begin + 1, kBlock)};
  }
  multiply({.rows = rows,
            .cols = cols,
            .depth = x.head_width,
            .a = x.q + row * x.q_stride,
            .a_row_stride = x.q_stride,
            .a_k_stride = 1,
            .b = x.key_panels + begin * x.head_width,
            .b_panel_stride = kKeyPanel * x.head_width,
            .b_k_stride = kKeyPanel,
            .c = scores,
            .c_stride = kBlock,
            .accumulate = false,
            .factors = nullptr});
  float scale = x.form.scale;
  if (x.form.soft_cap > 0) {
    cap_scores(scores, rows, cols, x.form);
    scale = 1;
  }
  softmax_block(scores, rows, visible, cols, scale, fresh, state, factors);
  multiply({.rows = rows,
            .cols = x.head_width,
            .depth = keys,
            .a = scores,
            .a_row_stride = kBlock,
            .a_k_stride = 1,
            .b = x.v + begin * x.v_stride,
            .b_panel_stride = kKeyPanel,
            .b_k_stride = x.v_stride,
            .c = out,
            .c_stride = out_stride,
            .accumulate = false,
            .factors = fresh ? nullptr : factors});
}

// Rows first .. end (at most kQueryBlock) against one span. o of row `first` is at `out`; of a tile that sees
// nothing here, nothing is written.
void attend_span(const AttentionArgs& x, Index first, Index end, Index span, SoftmaxState* states, float* out,
                 Index out_stride) {
  const Index begin = span * kAttentionSpan;
  const Index span_end = least(begin + kAttentionSpan, position_of(x, end - 1) + 1);
  const Index low = first_key(x.form, position_of(x, first));
  for (Index block = most(begin, low / kBlock * kBlock); block < span_end; block += kBlock) {
    for (Index row = first; row < end; row += kTileRows) {
      forward_tile(x, row, least(kTileRows, end - row), block, begin, states[(row - first) / kTileRows],
                   out + (row - first) * out_stride, out_stride);
    }
  }
}

// out = o / l, log_sum_exp = m + ln l.
void finish_row(const AttentionArgs& x, Index row, float top, float total) {
  const Vec factor = set(1.0f / total);
  float* out = x.out + row * x.out_stride;
  Index d = 0;
  for (; d + kWidth <= x.head_width; d += kWidth) store(out + d, load(out + d) * factor);
  const Index rest = x.head_width - d;
  if (rest > 0) store_n(out + d, load_n(out + d, rest) * factor, rest);
  if (x.log_sum_exp != nullptr) x.log_sum_exp[row] = top + __builtin_logf(total);
}

// (m, l, o) of the spans so far and of one more; o is the row of x.out.
struct Merged {
  float top, total;
  bool empty;
};

float exp_of(float x) {
  alignas(64) float lanes[kPad];
  store(lanes, exp_bounded(set(x)));
  return lanes[0];
}

void merge_row(const AttentionArgs& x, Index row, const float* o, float top, float total, Merged& merged) {
  float* out = x.out + row * x.out_stride;
  const float both = merged.empty || top > merged.top ? top : merged.top;
  const float old_factor = merged.empty ? 0.0f : exp_of(merged.top - both), new_factor = exp_of(top - both);
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
  constexpr Index kMostWidth = 256;
  alignas(64) SoftmaxState states[kQueryBlock / kTileRows];
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
  for (Index row = first; row < end; ++row)
    finish_row(x, row, merged[row - first].top, merged[row - first].total);
}

void attention_span(const AttentionArgs& x, Index span) noexcept {
  alignas(64) SoftmaxState states[kQueryBlock / kTileRows];
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
  alignas(64) SoftmaxState states[kQueryBlock / kTileRows];
  for (Index first = 0; first < x.rows; first += kQueryBlock) {
    const Index end = least(first + kQueryBlock, x.rows);
    const Index span = position_of(x, end - 1) / kAttentionSpan;
    if (x.partials != nullptr || first_key(x.form, position_of(x, first)) / kAttentionSpan != span) {
      forward_spans(x, first, end);
      continue;
    }
    attend_span(x, first, end, span, states, x.out + first * x.out_stride, x.out_stride);
    for (Index row = first; row < end; ++row) {
      const SoftmaxState& state = states[(row - first) / kTileRows];
      const Index i = (row - first) % kTileRows;
      finish_row(x, row, state.maximum[i], sum(load(state.sums[i])));
    }
  }
}

}  // namespace
}  // namespace smallmind
