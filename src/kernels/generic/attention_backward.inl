// Gradient of causal attention of one head, without keeping P: each block of it is recomputed from q, k and
// log_sum_exp (FlashAttention-2, arXiv:2307.08691, algorithm 2).
//
//   p = exp(scale q k^T - log_sum_exp), dp = dout v^T, delta_i = dout_i . out_i, ds = scale p (dp - delta)
//   (with a soft-cap c: t = tanh(scale q k^T / c), p = exp(c t - log_sum_exp), ds = scale p (dp - delta) (1 -
//   t^2)) dv += p^T dout, dk += ds^T q, dq = ds k
//
// The outer loop walks blocks of kBlock keys and packs each block of k and v once; the inner one walks
// kQueryBlock queries that see some of them, whose p and ds (12 KiB each) stay in L1. All five products are
// `multiply`. Sums run in an order fixed by T.

namespace smallmind {
namespace {

Index attention_backward_scratch(Index rows, Index head_width) noexcept {
  return rows + 2 * kBlock * head_width + 2 * kQueryBlock * kBlock +
         16;  // delta; panels of k and v; p and ds; alignment
}

void fill_zero(float* x, Index n) {
  for (Index i = 0; i < n; ++i) x[i] = 0.0f;
}

struct BackwardScratch {
  float *key_panels, *value_panels, *p, *ds, *delta;
};

float row_dot(const float* a, const float* b, Index n) {
  Vec total = zero();
  Index d = 0;
  for (; d + kWidth <= n; d += kWidth) total = mul_add(load(a + d), load(b + d), total);
  if (d < n) total = mul_add(load_n(a + d, n - d), load_n(b + d, n - d), total);
  return sum(total);
}

// Packs `keys` rows and zeroes what the last panel has left: its products are computed and must stay finite.
void pack_block(const float* rows, Index stride, Index keys, Index head_width, float* panels) {
  pack_keys(rows, stride, keys, head_width, 0, panels);
  if (keys % kKeyPanel == 0) return;
  float* panel = panels + keys / kKeyPanel * kKeyPanel * head_width;
  for (Index d = 0; d < head_width; ++d) {
    for (Index i = keys % kKeyPanel; i < kKeyPanel; ++i) panel[d * kKeyPanel + i] = 0.0f;
  }
}

// What the queries query .. query + rows see of the block.
struct BackwardTile {
  Index query, rows, begin, end;  // keys of the block, `begin` a panel's first
  Edge edge;
};

BackwardTile backward_tile(const AttentionBackwardArgs& x, Index block, Index keys, Index query, Index rows) {
  const Index seen = least(keys, query + rows - block), low = most(0, first_key(x.form, query) - block);
  const Index from = least(low, seen) / kKeyPanel * kKeyPanel;
  const bool above = from > 0 || first_key(x.form, query + rows - 1) > block,
             below = query + 1 < block + from + whole_panels(seen - from);
  return {query, rows, from, seen, above ? Edge::both : below ? Edge::last : Edge::none};
}

// Scores and dp of a tile's queries (in p and ds) -> p and ds; 0 for keys of the tile, or before it, that
// they do not see. Nothing reads the keys behind it: key tiles stand where query tiles do.
template <bool kCapped, int kPanels, Edge kEdge>
void backward_rows(const AttentionBackwardArgs& x, const BackwardScratch& s, const BackwardTile& t,
                   Index block, float* p, float* ds) {
  constexpr int kVectors = kPanels * kPanelVectors;
  const Vec inner = set(kCapped ? x.form.scale / x.form.soft_cap : 0.0f), scale = set(x.form.scale);
  const Vec c = set((kCapped ? x.form.soft_cap : x.form.scale) * kLog2E);
  for (Index i = 0; i < t.rows; ++i, p += kBlock, ds += kBlock) {
    const Index query = t.query + i;
    const Bounds<kEdge> bounds({first_key(x.form, query) - block - t.begin, query - block - t.begin + 1});
    const Vec minus_l = set(-x.log_sum_exp[query] * kLog2E),
              minus_delta = set(-s.delta[query] * x.form.scale);
    if (kEdge == Edge::both) fill_zero(p, t.begin), fill_zero(ds, t.begin);
    float *row_p = p + t.begin, *row_ds = ds + t.begin;
    SM_UNROLL for (int j = 0; j < kVectors * kWidth; j += kWidth) {
      const Vec u = kCapped ? tanh(load(row_p + j) * inner) : load(row_p + j);
      const Vec e = bounds.keep(j, exp2(mul_add(u, c, minus_l)), zero());
      Vec g = e * mul_add(load(row_ds + j), scale, minus_delta);
      if (kCapped) g = neg_mul_add(g * u, u, g);
      store(row_p + j, e);
      store(row_ds + j, bounds.keep(j, g, zero()));
    }
  }
}

// q k^T into p, dout v^T into ds.
void backward_scores(const AttentionBackwardArgs& x, const BackwardScratch& s, const BackwardTile& t,
                     float* p, float* ds) {
  Product product = {.rows = t.rows,
                     .cols = whole_panels(t.end - t.begin),
                     .depth = x.head_width,
                     .a = x.q + t.query * x.q_stride,
                     .a_row_stride = x.q_stride,
                     .a_k_stride = 1,
                     .b = s.key_panels + t.begin * x.head_width,
                     .b_panel_stride = kKeyPanel * x.head_width,
                     .b_k_stride = kKeyPanel,
                     .c = p + t.begin,
                     .c_stride = kBlock};
  multiply(product);
  product.a = x.dout + t.query * x.dout_stride;
  product.a_row_stride = x.dout_stride;
  product.b = s.value_panels + t.begin * x.head_width;
  product.c = ds + t.begin;
  multiply(product);
}

// p and ds of queries first .. first + count against the block of keys; then dq of these queries. Each step
// runs over all tiles: within a tile every one waits for the one before it.
void backward_queries(const AttentionBackwardArgs& x, const BackwardScratch& s, Index block, Index keys,
                      Index first, Index count) {
  for (Index row = 0; row < count; row += kTileRows) {
    const BackwardTile t = backward_tile(x, block, keys, first + row, least(kTileRows, count - row));
    backward_scores(x, s, t, s.p + row * kBlock, s.ds + row * kBlock);
  }
  for (Index row = 0; row < count; row += kTileRows) {
    const BackwardTile t = backward_tile(x, block, keys, first + row, least(kTileRows, count - row));
    with_tile(t, [&]<int kPanels, Edge kEdge>() {
      const auto rows =
          x.form.soft_cap > 0 ? backward_rows<true, kPanels, kEdge> : backward_rows<false, kPanels, kEdge>;
      rows(x, s, t, block, s.p + row * kBlock, s.ds + row * kBlock);
    });
  }
  for (Index row = 0; row < count; row += kTileRows) {
    const BackwardTile t = backward_tile(x, block, keys, first + row, least(kTileRows, count - row));
    multiply({.rows = t.rows,
              .cols = x.head_width,
              .depth = t.end - t.begin,
              .a = s.ds + row * kBlock + t.begin,
              .a_row_stride = kBlock,
              .a_k_stride = 1,
              .b = x.k + (block + t.begin) * x.k_stride,
              .b_panel_stride = kKeyPanel,
              .b_k_stride = x.k_stride,
              .c = x.dq + t.query * x.dq_stride,
              .c_stride = x.dq_stride,
              .accumulate = block != 0 || x.form.window > 0});
  }
}

// dv += p^T dout and dk += ds^T q for the block; a key tile skips the queries that stand before it. The first
// block of queries reaches all keys of the block.
static_assert(kQueryBlock >= kBlock);
void backward_keys(const AttentionBackwardArgs& x, const BackwardScratch& s, Index block, Index keys,
                   Index first, Index count) {
  for (Index key = 0; key < keys; key += kTileRows) {
    const Index skip = most(0, block + key - first);
    if (skip >= count) break;
    Product product = {.rows = least(kTileRows, keys - key),
                       .cols = x.head_width,
                       .depth = count - skip,
                       .a = s.p + skip * kBlock + key,
                       .a_row_stride = 1,
                       .a_k_stride = kBlock,
                       .b = x.dout + (first + skip) * x.dout_stride,
                       .b_panel_stride = kKeyPanel,
                       .b_k_stride = x.dout_stride,
                       .c = x.dv + (block + key) * x.dv_stride,
                       .c_stride = x.dv_stride,
                       .accumulate = x.accumulate || first != block};
    multiply(product);
    product.a = s.ds + skip * kBlock + key;
    product.b = x.q + (first + skip) * x.q_stride;
    product.b_k_stride = x.q_stride;
    product.c = x.dk + (block + key) * x.dk_stride;
    product.c_stride = x.dk_stride;
    multiply(product);
  }
}

void attention_backward(const AttentionBackwardArgs& x) noexcept {
  const auto misaligned = reinterpret_cast<std::uintptr_t>(x.scratch) % 64 / sizeof(float);
  float* aligned = x.scratch + (16 - misaligned) % 16;
  BackwardScratch s = {};
  s.p = aligned;
  s.ds = s.p + kQueryBlock * kBlock;
  s.key_panels = s.ds + kQueryBlock * kBlock;
  s.value_panels = s.key_panels + kBlock * x.head_width;
  s.delta = s.value_panels + kBlock * x.head_width;
  for (Index i = 0; i < x.rows; ++i) {
    s.delta[i] = row_dot(x.dout + i * x.dout_stride, x.out + i * x.out_stride, x.head_width);
  }
  // With a window, the first block that a query sees is not always the first one.
  for (Index i = 0; i < x.rows && x.form.window > 0; ++i) fill_zero(x.dq + i * x.dq_stride, x.head_width);
  for (Index block = 0; block < x.rows; block += kBlock) {
    const Index keys = least(kBlock, x.rows - block);
    pack_block(x.k + block * x.k_stride, x.k_stride, keys, x.head_width, s.key_panels);
    pack_block(x.v + block * x.v_stride, x.v_stride, keys, x.head_width, s.value_panels);
    // The last query whose window reaches back to this block stands `window - 1` behind its last key.
    const Index end = x.form.window > 0 ? least(x.rows, block + keys + x.form.window - 1) : x.rows;
    for (Index first = block; first < end; first += kQueryBlock) {
      const Index count = least(kQueryBlock, end - first);
      backward_queries(x, s, block, keys, first, count);
      backward_keys(x, s, block, keys, first, count);
    }
  }
}

void install_attention(KernelTable& table) noexcept {
  table.pack_keys = pack_keys;
  table.attention_forward = attention_forward;
  table.attention_span = attention_span;
  table.attention_backward_scratch = attention_backward_scratch;
  table.attention_backward = attention_backward;
}

}  // namespace
}  // namespace smallmind
