// Causal attention of one head, forward: out_i = sum_j softmax_j(scale q_i . k_j) v_j over j <=
// first_position + i.
//
// Online softmax (Milakov and Gimelshein, arXiv:1805.02867; blocked as in FlashAttention, arXiv:2205.14135).
// Blocks of keys stand at fixed positions, kBlock each, and for every block
//   m' = max(m, max_j s_j),  p_j = exp(s_j - m'),
//   l = l exp(m - m') + sum_j p_j,  o = o exp(m - m') + sum_j p_j v_j,
// where the sum over a block is a chain of its own. So a row's bits depend only on its own position and on
// the keys before it: decoding a row alone and computing it inside a prompt give the same bits. p is exactly
// 0 where masked. Nothing beyond the panel of the last visible key is read. Queries go in blocks of
// kQueryBlock, so that a block of K and V serves them all from L1/L2.

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

// Running softmax of up to kTileRows rows.
struct SoftmaxState {
  float maximum[kPad];            // m
  float sums[kTileRows][kWidth];  // l, per lane
};

// All lanes below n; none for n <= 0.
inline Mask lanes_below(Index n) {
  static constexpr float kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return less(load(kLane), set(static_cast<float>(n)));
}

// Scores (rows, cols of kBlock) -> p in place; visible[i] keys of row i count. factors[i] = exp(m - m'), by
// which o and l shrink. Not inlined: every caller must run the same instructions.
[[gnu::noinline]] void softmax_block(float* scores, Index rows, const Index* visible, Index cols, float scale,
                                     bool first_block, SoftmaxState& state, float* factors) {
  const Vec lowest = set(-kInfinity);
  float tops[kPad] = {};
  for (Index i = 0; i < rows; ++i) {
    Vec top = lowest;
    for (Index j = 0; j < cols; j += kWidth) {
      top = max(top, select(lanes_below(visible[i] - j), load(scores + i * kBlock + j), lowest));
    }
    const float block_top = maximum(top) * scale;
    const bool rises = visible[i] > 0 && (first_block || block_top > state.maximum[i]);
    tops[i] = rises ? block_top : state.maximum[i];
  }
  for (Index i = 0; i < rows && !first_block; i += kWidth) {
    store(factors + i, exp_bounded(load(state.maximum + i) - load(tops + i)));
  }
  for (Index i = 0; i < rows; ++i) {
    float* row = scores + i * kBlock;
    Vec total = zero();
    for (Index j = 0; j < cols; j += kWidth) {
      const Vec p = exp_bounded(mul_add(load(row + j), set(scale), set(-tops[i])));
      const Vec kept = select(lanes_below(visible[i] - j), p, zero());
      store(row + j, kept);
      total = total + kept;
    }
    store(state.sums[i], first_block ? total : mul_add(load(state.sums[i]), set(factors[i]), total));
    state.maximum[i] = tops[i];
  }
}

// Rows row .. row + rows of the call (at most kTileRows) against the block of keys from `block` on.
void forward_tile(const AttentionArgs& x, Index row, Index rows, Index block, SoftmaxState& state) {
  const Index last = x.first_position + row + rows - 1;
  if (last < block) return;
  alignas(64) float scores[kTileRows * kBlock];
  alignas(64) float factors[kPad];
  const Index keys = least(kBlock, last - block + 1), cols = whole_panels(keys);
  Index visible[kTileRows];
  for (Index i = 0; i < rows; ++i) visible[i] = x.first_position + row + i - block + 1;
  multiply({.rows = rows,
            .cols = cols,
            .depth = x.head_width,
            .a = x.q + row * x.q_stride,
            .a_row_stride = x.q_stride,
            .a_k_stride = 1,
            .b = x.key_panels + block * x.head_width,
            .b_panel_stride = kKeyPanel * x.head_width,
            .b_k_stride = kKeyPanel,
            .c = scores,
            .c_stride = kBlock,
            .accumulate = false,
            .factors = nullptr});
  softmax_block(scores, rows, visible, cols, x.scale, block == 0, state, factors);
  multiply({.rows = rows,
            .cols = x.head_width,
            .depth = keys,
            .a = scores,
            .a_row_stride = kBlock,
            .a_k_stride = 1,
            .b = x.v + block * x.v_stride,
            .b_panel_stride = kKeyPanel,
            .b_k_stride = x.v_stride,
            .c = x.out + row * x.out_stride,
            .c_stride = x.out_stride,
            .accumulate = false,
            .factors = block == 0 ? nullptr : factors});
}

// out = o / l, log_sum_exp = m + ln l; row `i` of `state`.
void finish_row(const AttentionArgs& x, Index row, const SoftmaxState& state, Index i) {
  const float total = sum(load(state.sums[i]));
  const Vec factor = set(1.0f / total);
  float* out = x.out + row * x.out_stride;
  Index d = 0;
  for (; d + kWidth <= x.head_width; d += kWidth) store(out + d, load(out + d) * factor);
  const Index rest = x.head_width - d;
  if (rest > 0) store_n(out + d, load_n(out + d, rest) * factor, rest);
  if (x.log_sum_exp != nullptr) x.log_sum_exp[row] = state.maximum[i] + __builtin_logf(total);
}

void attention_forward(const AttentionArgs& x) noexcept {
  alignas(64) SoftmaxState states[kQueryBlock / kTileRows];
  for (Index first = 0; first < x.rows; first += kQueryBlock) {
    const Index end = least(first + kQueryBlock, x.rows);
    for (SoftmaxState& state : states) state = {};
    for (Index block = 0; block < x.first_position + end; block += kBlock) {
      for (Index row = first; row < end; row += kTileRows) {
        forward_tile(x, row, least(kTileRows, end - row), block, states[(row - first) / kTileRows]);
      }
    }
    for (Index row = first; row < end; ++row) {
      finish_row(x, row, states[(row - first) / kTileRows], (row - first) % kTileRows);
    }
  }
}

}  // namespace
}  // namespace smallmind
