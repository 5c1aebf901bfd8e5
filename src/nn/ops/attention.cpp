// attention: causal softmax(q k^T / sqrt(K)) v within each sequence, perhaps with a window or a soft-cap;
// grouped heads share keys and values, which are never copied per head.
//
// A unit of work is one kv head of one segment: it packs (or appends to the cache) that head's keys once and
// then runs the H/G query heads that read them, so heads never wait for one another. With a cache and too few
// units for the threads, long units are cut: prompts by rows, single rows into spans of keys, whose partial
// results are merged afterwards. Neither cut changes a bit. Backward recomputes the probabilities from q, k
// and the saved log-sum-exp: with P = softmax(S), dV = P^T dout, dS = P (dout V^T - rowsum(dout out)),
// dQ = dS K, dK = dS^T Q.
#include <cmath>

#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

Index panel_floats(Index positions, Index head_width) {
  return (positions + kKeyPanel - 1) / kKeyPanel * kKeyPanel * head_width;
}

Index longest(const TokenBatch& batch) {
  Index rows = 0;
  for (const Segment& segment : batch.segments) rows = std::max(rows, segment.rows);
  return rows;
}

struct Call {
  Tensor q, k, v, out;
  AttentionShape shape;
  AttentionForm form;
  float* log_sum_exp;  // (H, N), or null

  Index group() const { return shape.heads / shape.kv_heads; }
};

// Where one kv head's keys (panels) and values are for one segment.
struct Memory {
  const float* key_panels;
  const float* values;
  Index value_stride;
};

void append(const KernelTable& kernels, const Call& call, const Segment& segment, Index kv_head,
            KvCache& cache, Index layer) {
  const Index width = call.shape.head_width;
  float* values = cache.values(layer, segment.sequence, kv_head);
  kernels.pack_keys(call.k.row(segment.first_row) + kv_head * width, call.k.stride, segment.rows, width,
                    segment.position, cache.key_panels(layer, segment.sequence, kv_head));
  for (Index i = 0; i < segment.rows; ++i)
    std::memcpy(values + (segment.position + i) * width, call.v.row(segment.first_row + i) + kv_head * width,
                static_cast<std::size_t>(width) * sizeof(float));
}

Memory cached(const Call& call, const Segment& segment, Index kv_head, const KvCache& cache, Index layer) {
  return {cache.key_panels(layer, segment.sequence, kv_head), cache.values(layer, segment.sequence, kv_head),
          call.shape.head_width};
}

Memory pack(const KernelTable& kernels, const Call& call, const Segment& segment, Index kv_head,
            float* panels) {
  const Index width = call.shape.head_width;
  kernels.pack_keys(call.k.row(segment.first_row) + kv_head * width, call.k.stride, segment.rows, width, 0,
                    panels);
  return {panels, call.v.row(segment.first_row) + kv_head * width, call.v.stride};
}

// Rows begin .. end of the segment for query head h.
AttentionArgs head_rows(const Call& call, const Segment& segment, Index h, const Memory& memory, Index begin,
                        Index end) {
  const Index width = call.shape.head_width, row = segment.first_row + begin;
  return {.rows = end - begin,
          .first_position = segment.position + begin,
          .head_width = width,
          .form = call.form,
          .q = call.q.row(row) + h * width,
          .q_stride = call.q.stride,
          .key_panels = memory.key_panels,
          .v = memory.values,
          .v_stride = memory.value_stride,
          .out = call.out.row(row) + h * width,
          .out_stride = call.out.stride,
          .log_sum_exp = call.log_sum_exp == nullptr ? nullptr : call.log_sum_exp + h * call.q.rows + row};
}

// The single row of a segment for all query heads of a kv head: they read K and V once together.
AttentionArgs group_row(const Call& call, const Segment& segment, Index kv_head, const Memory& memory) {
  AttentionArgs args = head_rows(call, segment, kv_head * call.group(), memory, 0, 1);
  args.rows = call.group();
  args.q_stride = args.out_stride = call.shape.head_width;
  args.position_step = 0;
  return args;
}

void attend(const KernelTable& kernels, const Call& call, const Segment& segment, Index kv_head,
            const Memory& memory) {
  if (segment.rows == 1 && call.log_sum_exp == nullptr)
    return kernels.attention_forward(group_row(call, segment, kv_head, memory));
  for (Index h = kv_head * call.group(); h < (kv_head + 1) * call.group(); ++h)
    kernels.attention_forward(head_rows(call, segment, h, memory, 0, segment.rows));
}

void forward_packed(Exec& ex, const Call& call, const TokenBatch& batch) {
  const Index kv_heads = call.shape.kv_heads, units = static_cast<Index>(batch.segments.size()) * kv_heads;
  ScratchScope scratch(ex);
  const Index panel = panel_floats(longest(batch), call.shape.head_width);
  float* panels = ex.scratch(std::min<Index>(ex.pool().size(), std::max<Index>(1, units)) * panel);
  ex.parallel(units, 1, [&](int part, Index begin, Index end) {
    for (Index unit = begin; unit < end; ++unit) {
      const Segment& segment = batch.segments[static_cast<std::size_t>(unit / kv_heads)];
      const Index kv_head = unit % kv_heads;
      attend(ex.kernels(), call, segment, kv_head,
             pack(ex.kernels(), call, segment, kv_head, panels + part * panel));
    }
  });
}

// Attention over the cache, its units cut into pieces.
class CachedForward {
 public:
  CachedForward(Exec& ex, const Call& call, const TokenBatch& batch, KvCache& cache, Index layer)
      : ex_(ex), call_(call), batch_(batch), cache_(cache), layer_(layer) {
    units_ = static_cast<Index>(batch.segments.size()) * call.shape.kv_heads;
    // By the capacity, so that a dry run at position 0 takes enough.
    const Index spans = (cache.capacity() + kAttentionSpan - 1) / kAttentionSpan;
    unit_floats_ = spans * call.group() * (call.shape.head_width + 2);
    partials_ = spans > 1 ? ex.scratch(units_ * unit_floats_) : nullptr;
  }

  void run() {
    if (!cut()) {
      ex_.parallel(units_, 1, [&](Index begin, Index end) {
        for (Index unit = begin; unit < end; ++unit) {
          append_unit(unit);
          attend(ex_.kernels(), call_, segment(unit), unit % call_.shape.kv_heads, memory(unit));
        }
      });
      return;
    }
    ex_.parallel(units_, 1, [&](Index begin, Index end) {
      for (Index unit = begin; unit < end; ++unit) append_unit(unit);
    });
    // Later rows see more keys than earlier ones: threads take every T-th piece.
    const Index threads = ex_.pool().size();
    ex_.parallel(threads, 1, [&](Index begin, Index end) {
      for (Index thread = begin; thread < end; ++thread) run_pieces(thread, threads);
    });
    ex_.parallel(units_, 1, [&](Index begin, Index end) {
      for (Index unit = begin; unit < end; ++unit)
        if (segment(unit).rows == 1) ex_.kernels().attention_forward(spans_of(unit));
    });
  }

 private:
  static constexpr Index kPieceRows = 96;

  const Segment& segment(Index unit) const {
    return batch_.segments[static_cast<std::size_t>(unit / call_.shape.kv_heads)];
  }
  Memory memory(Index unit) const {
    return cached(call_, segment(unit), unit % call_.shape.kv_heads, cache_, layer_);
  }
  void append_unit(Index unit) {
    append(ex_.kernels(), call_, segment(unit), unit % call_.shape.kv_heads, cache_, layer_);
  }

  // Worth two more joins of the threads (about 1 us) where some of them would idle while others attend to
  // more than a span of keys.
  bool cut() const {
    const Index threads = ex_.pool().size();
    if (partials_ == nullptr || threads == 1 || units_ >= 4 * threads) return false;
    if (batch_.segments.size() == 1 && units_ % threads == 0) return false;
    Index most = 0;
    for (const Segment& s : batch_.segments) most = std::max(most, s.position + s.rows);
    if (call_.form.window > 0) most = std::min(most, call_.form.window);
    return most > kAttentionSpan;
  }

  Index first_span(const Segment& s) const {
    return call_.form.window == 0 ? 0
                                  : std::max<Index>(0, s.position - call_.form.window + 1) / kAttentionSpan;
  }
  Index pieces(Index unit) const {
    const Segment& s = segment(unit);
    return s.rows == 1 ? s.position / kAttentionSpan + 1 - first_span(s)
                       : (s.rows + kPieceRows - 1) / kPieceRows;
  }

  AttentionArgs spans_of(Index unit) const {
    AttentionArgs args = group_row(call_, segment(unit), unit % call_.shape.kv_heads, memory(unit));
    args.partials = partials_ + unit * unit_floats_;
    return args;
  }

  void run_piece(Index unit, Index piece) const {
    const Segment& s = segment(unit);
    if (s.rows == 1) return ex_.kernels().attention_span(spans_of(unit), first_span(s) + piece);
    const Index begin = piece * kPieceRows, end = std::min(begin + kPieceRows, s.rows);
    const Index first_head = unit % call_.shape.kv_heads * call_.group();
    for (Index h = first_head; h < first_head + call_.group(); ++h)
      ex_.kernels().attention_forward(head_rows(call_, s, h, memory(unit), begin, end));
  }

  void run_pieces(Index thread, Index threads) const {
    Index before = 0;  // pieces of earlier units
    for (Index unit = 0; unit < units_; ++unit) {
      const Index count = pieces(unit), skip = (thread + threads - before % threads) % threads;
      for (Index piece = skip; piece < count; piece += threads) run_piece(unit, piece);
      before += count;
    }
  }

  Exec& ex_;
  const Call& call_;
  const TokenBatch& batch_;
  KvCache& cache_;
  Index layer_, units_ = 0, unit_floats_ = 0;
  float* partials_ = nullptr;  // (units, spans, group, K + 2); null: the cache is no longer than a span
};

// (query, key) pairs of a segment: row i sees min(position + i + 1, W) keys.
Index visible_pairs(const Segment& s, Index window) {
  const Index all = s.rows * s.position + s.rows * (s.rows + 1) / 2;
  if (window == 0) return all;
  const Index full = std::clamp<Index>(s.position + s.rows - window, 0, s.rows);  // rows that see W keys
  const Index most = s.position + s.rows - window;  // keys out of sight of the last row
  return all - (full == 0 ? 0 : full * (2 * most - full + 1) / 2);
}

OpCost cost(const AttentionShape& shape, std::span<const Segment> segments) {
  OpCost total;
  for (const Segment& s : segments) {
    const OpCost one = shape.heads * attention_cost(visible_pairs(s, shape.window), s.rows,
                                                    s.position + s.rows, shape.head_width);
    total = one + total;
  }
  return total;
}

struct AttentionBackward {
  static constexpr Op kOp = Op::attention;
  Call call;
  const Segment* segments;
  Index segment_count, longest_rows;
  OpCost forward_cost;

  struct Targets {
    GradTarget q, k, v;
    bool accumulate_kv;  // k and v hold something already
  };

  // q, k and v are often the three parts of one product: then attention writes all of its gradient, and
  // zeroing it as a whole first would cost a pass over memory.
  Targets targets(Exec& ex) const {
    const Tensor &q = call.q, &k = call.k, &v = call.v;
    const bool parts =
        q.grad != nullptr && q.grad == k.grad && q.grad == v.grad && q.cols + k.cols + v.cols == q.grad->cols;
    if (!parts) {
      const GradTarget dq = ex.gradient_of(q), dk = ex.gradient_of(k), dv = ex.gradient_of(v);
      SM_CHECK(dq && dk && dv && !dq.accumulate && dk.accumulate == dv.accumulate,
               "[attention] q, k and v that nothing else reads expected");
      return {dq, dk, dv, dk.accumulate};
    }
    bool fresh = false;
    float* data = ex.gradient_slot(q, fresh);
    SM_CHECK(fresh, "[attention] q, k and v that nothing else reads expected");
    const auto part = [&](const Tensor& t) {
      return GradTarget{true, data == nullptr ? nullptr : data + t.grad_column, t.grad->cols, false};
    };
    return {part(q), part(k), part(v), false};
  }

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(call.out);
    if (dout.rows == 0 || call.q.grad == nullptr) return;
    const OpZone zone(ex, kOp, attention_backward_cost(forward_cost));
    const Targets to = targets(ex);
    ScratchScope scratch(ex);
    const Index floats = ex.kernels().attention_backward_scratch(longest_rows, call.shape.head_width);
    const Index units = segment_count * call.shape.kv_heads;
    float* memory = ex.scratch(ex.pool().size() * floats);
    ex.parallel(units, 1, [&](int part, Index begin, Index end) {
      for (Index unit = begin; unit < end; ++unit)
        one_unit(ex.kernels(), dout, to, segments[unit / call.shape.kv_heads], unit % call.shape.kv_heads,
                 memory + part * floats);
    });
  }

  void one_unit(const KernelTable& kernels, const Tensor& dout, const Targets& to, const Segment& segment,
                Index kv_head, float* scratch) const {
    const Index width = call.shape.head_width, group = call.shape.heads / call.shape.kv_heads;
    const Index row = segment.first_row, kv = kv_head * width;
    const auto at = [row](const GradTarget& t, Index column) { return t.data + row * t.stride + column; };
    for (Index h = kv_head * group; h < (kv_head + 1) * group; ++h)
      kernels.attention_backward({.rows = segment.rows,
                                  .head_width = width,
                                  .form = call.form,
                                  .q = call.q.row(row) + h * width,
                                  .k = call.k.row(row) + kv,
                                  .v = call.v.row(row) + kv,
                                  .out = call.out.row(row) + h * width,
                                  .dout = dout.row(row) + h * width,
                                  .q_stride = call.q.stride,
                                  .k_stride = call.k.stride,
                                  .v_stride = call.v.stride,
                                  .out_stride = call.out.stride,
                                  .dout_stride = dout.stride,
                                  .log_sum_exp = call.log_sum_exp + h * call.q.rows + row,
                                  .dq = at(to.q, h * width),
                                  .dk = at(to.k, kv),
                                  .dv = at(to.v, kv),
                                  .dq_stride = to.q.stride,
                                  .dk_stride = to.k.stride,
                                  .dv_stride = to.v.stride,
                                  .accumulate = to.accumulate_kv || h > kv_head * group,
                                  .scratch = scratch});
  }
};

}  // namespace

Tensor attention(Exec& ex, const Tensor& q, const Tensor& k, const Tensor& v, const AttentionShape& shape,
                 const TokenBatch& batch, KvCache* cache, std::int64_t layer) {
  SM_CHECK(q.cols == shape.heads * shape.head_width && k.cols == shape.kv_heads * shape.head_width &&
               v.cols == k.cols,
           "[attention] {} and {} columns expected, {}, {} and {} given", shape.heads * shape.head_width,
           shape.kv_heads * shape.head_width, q.cols, k.cols, v.cols);
  SM_CHECK(shape.window >= 0 && shape.soft_cap >= 0, "[attention] no negative window or soft-cap expected");
  if (ex.recording() && cache != nullptr)
    fail(ErrorCode::internal, "[attention] recording works without a cache, one was given");
  const auto forward_cost = [&] { return cost(shape, batch.segments); };
  const OpZone zone(ex, Op::attention, forward_cost);
  const Tensor out = ex.make(q.rows, q.cols);
  const float scale = 1.0f / std::sqrt(static_cast<float>(shape.head_width));
  Call call{q, k, v, out, shape, {scale, shape.soft_cap, shape.window}, nullptr};
  if (ex.recording()) call.log_sum_exp = ex.save<float>(q.rows * shape.heads);
  if (cache == nullptr) {
    forward_packed(ex, call, batch);
  } else {
    ScratchScope scratch(ex);
    CachedForward(ex, call, batch, *cache, layer).run();
  }
  if (ex.recording())
    ex.record(AttentionBackward{call, ex.keep(batch.segments), static_cast<Index>(batch.segments.size()),
                                longest(batch), forward_cost()});
  return out;
}

}  // namespace smallmind
