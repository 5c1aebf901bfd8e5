// attention: causal softmax(q k^T / sqrt(K)) v within each sequence; grouped heads share keys and values.
//
// A unit of work is one kv head of one segment: it packs (or appends to the cache) that head's keys once and
// then runs the H/G query heads that read them, so heads never wait for one another. Backward recomputes the
// probabilities from q, k and the saved log-sum-exp: with P = softmax(S), dV = P^T dout, dS = P (dout V^T -
// rowsum(dout out)), dQ = dS K, dK = dS^T Q.
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
  float scale;
  float* log_sum_exp;  // (H, N), or null
};

// Where one kv head's keys (panels) and values are for one segment.
struct Memory {
  const float* key_panels;
  const float* values;
  Index value_stride;
};

Memory append(const KernelTable& kernels, const Call& call, const Segment& segment, Index kv_head,
              KvCache& cache, Index layer) {
  const Index width = call.shape.head_width;
  float* panels = cache.key_panels(layer, segment.sequence, kv_head);
  float* values = cache.values(layer, segment.sequence, kv_head);
  kernels.pack_keys(call.k.row(segment.first_row) + kv_head * width, call.k.stride, segment.rows, width,
                    segment.position, panels);
  for (Index i = 0; i < segment.rows; ++i)
    std::memcpy(values + (segment.position + i) * width, call.v.row(segment.first_row + i) + kv_head * width,
                static_cast<std::size_t>(width) * sizeof(float));
  return {panels, values, width};
}

Memory pack(const KernelTable& kernels, const Call& call, const Segment& segment, Index kv_head,
            float* panels) {
  const Index width = call.shape.head_width;
  kernels.pack_keys(call.k.row(segment.first_row) + kv_head * width, call.k.stride, segment.rows, width, 0,
                    panels);
  return {panels, call.v.row(segment.first_row) + kv_head * width, call.v.stride};
}

void attend(const KernelTable& kernels, const Call& call, const Segment& segment, Index kv_head,
            const Memory& memory) {
  const Index width = call.shape.head_width, group = call.shape.heads / call.shape.kv_heads;
  for (Index h = kv_head * group; h < (kv_head + 1) * group; ++h)
    kernels.attention_forward({.rows = segment.rows,
                               .first_position = segment.position,
                               .head_width = width,
                               .scale = call.scale,
                               .q = call.q.row(segment.first_row) + h * width,
                               .q_stride = call.q.stride,
                               .key_panels = memory.key_panels,
                               .v = memory.values,
                               .v_stride = memory.value_stride,
                               .out = call.out.row(segment.first_row) + h * width,
                               .out_stride = call.out.stride,
                               .log_sum_exp = call.log_sum_exp == nullptr
                                                  ? nullptr
                                                  : call.log_sum_exp + h * call.q.rows + segment.first_row});
}

void forward(Exec& ex, const Call& call, const TokenBatch& batch, KvCache* cache, Index layer) {
  const auto segments = static_cast<Index>(batch.segments.size());
  const Index kv_heads = call.shape.kv_heads;
  ScratchScope scratch(ex);
  const Index panel = cache == nullptr ? panel_floats(longest(batch), call.shape.head_width) : 0;
  float* panels = cache == nullptr ? ex.scratch(segments * kv_heads * panel) : nullptr;
  ex.parallel(segments * kv_heads, 1, [&](Index begin, Index end) {
    for (Index unit = begin; unit < end; ++unit) {
      const Segment& segment = batch.segments[static_cast<std::size_t>(unit / kv_heads)];
      const Index kv_head = unit % kv_heads;
      const Memory memory = cache != nullptr
                                ? append(ex.kernels(), call, segment, kv_head, *cache, layer)
                                : pack(ex.kernels(), call, segment, kv_head, panels + unit * panel);
      attend(ex.kernels(), call, segment, kv_head, memory);
    }
  });
}

OpCost cost(const AttentionShape& shape, std::span<const Segment> segments) {
  OpCost total;
  for (const Segment& s : segments) {
    const Index pairs = s.rows * s.position + s.rows * (s.rows + 1) / 2;
    total = total + shape.heads * attention_cost(pairs, s.rows, s.position + s.rows, shape.head_width);
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
    bool zero_kv;  // k and v hold nothing yet, and the kernel accumulates
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
      return {dq, dk, dv, !dk.accumulate};
    }
    bool fresh = false;
    float* data = ex.gradient_slot(q, fresh);
    SM_CHECK(fresh, "[attention] q, k and v that nothing else reads expected");
    const auto part = [&](const Tensor& t) {
      return GradTarget{true, data == nullptr ? nullptr : data + t.grad_column, t.grad->cols, false};
    };
    return {part(q), part(k), part(v), true};
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
    for (Index i = 0; to.zero_kv && i < segment.rows; ++i) {
      std::memset(at(to.k, kv) + i * to.k.stride, 0, static_cast<std::size_t>(width) * sizeof(float));
      std::memset(at(to.v, kv) + i * to.v.stride, 0, static_cast<std::size_t>(width) * sizeof(float));
    }
    for (Index h = kv_head * group; h < (kv_head + 1) * group; ++h)
      kernels.attention_backward({.rows = segment.rows,
                                  .head_width = width,
                                  .scale = call.scale,
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
  if (ex.recording() && cache != nullptr)
    fail(ErrorCode::internal, "[attention] recording works without a cache, one was given");
  const OpCost forward_cost = cost(shape, batch.segments);
  const OpZone zone(ex, Op::attention, forward_cost);
  const Tensor out = ex.make(q.rows, q.cols);
  Call call{q, k, v, out, shape, 1.0f / std::sqrt(static_cast<float>(shape.head_width)), nullptr};
  if (ex.recording()) call.log_sum_exp = ex.save<float>(q.rows * shape.heads);
  forward(ex, call, batch, cache, layer);
  ex.record(AttentionBackward{call, ex.keep(batch.segments), static_cast<Index>(batch.segments.size()),
                              longest(batch), forward_cost});
  return out;
}

}  // namespace smallmind
