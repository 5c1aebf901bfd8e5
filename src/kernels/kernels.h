// The kernel table: every inner loop of SmallMind as a pure, single-threaded function on pointers.
//
// Kernels never allocate, throw, lock or know about threads; the ops of nn/ partition the work. All
// arithmetic is f32. Pointers need no alignment beyond that of float. Strides count elements. Unless a
// comment says otherwise, outputs must not overlap inputs. One row's result never depends on which other rows
// share the call, so a token's bits do not depend on the batch. scalar/ defines the truth; an ISA folder
// overrides entries of the table below it. The chosen table is a constant of the process: see dispatch.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace smallmind {

using Index = std::int64_t;

// C(m, n) = A(m, k) B(k, n) [+ C] [+ bias] [+ residual], and perhaps an activation of it. Each output is one
// chain of multiply-adds over ascending k, the same for every m, n, blocking and panel, so results are bit
// for bit independent of how the caller cuts the product; bias, residual and activation follow in this order.
struct GemmArgs {
  Index m, n, k;
  const float* a;  // element (i, p) at a[i * a_row_stride + p * a_k_stride]; one of the two strides is 1
  Index a_row_stride, a_k_stride;
  const void*
      b;  // column j of panel q (panel_width columns each), row p: b[q * b_panel_stride + p * b_k_stride + j]
  Index b_panel_stride,
      b_k_stride;  // packed: (k * panel_width, panel_width); row-major B: (panel_width, its stride)
  float* c;        // element (i, j) at c[i * c_stride + j]
  Index c_stride;
  const float* bias;  // (n) added after the chain, or null
  bool accumulate;    // the chain starts from C's value rather than zero
  // f32, or f16 or bf16 in packed panels with a_k_stride 1; these are widened, exactly, in registers.
  DType b_type = DType::f32;
  const float* residual = nullptr;  // (m, n), or null; it may be C itself if m <= slab_rows
  Index residual_stride = 0;
  // Not null: called for pieces of finished rows of C, as long as they are in the cache, with `out` the same
  // place of `activated`, which may be C itself. An elementwise entry of this table.
  void (*activation)(const float* x, Index n, float* out) noexcept = nullptr;
  float* activated = nullptr;
  Index activated_stride = 0;
  // Not 1: B is the transpose of a row-major matrix with this stride, b_k_stride is 1, b_panel_stride is
  // panel_width * b_n_stride, and b_scratch is needed.
  Index b_n_stride = 1;
  // Not null: block_floats floats, to which blocks of a plain f32 B are copied for all rows to read.
  float* b_scratch = nullptr;
};

struct AdamWArgs {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float gradient_scale;  // multiplies every gradient first: clipping and 1/accumulation in one factor
  float bias_correction1, bias_correction2;  // 1 - beta^t
};

// Keys are cached transposed in panels of 16 positions, [S/16][K][16], so that scores are chains over K for
// 16 keys at once.
inline constexpr Index kKeyPanel = 16;

// Which keys a query at position p sees, and how a score s = scale q.k becomes a logit.
struct AttentionForm {
  float scale;         // usually 1/sqrt(K)
  float soft_cap = 0;  // > 0: s becomes soft_cap * tanh(s / soft_cap)
  Index window = 0;    // > 0: the keys p - window + 1 .. p; 0: the keys 0 .. p
};

// Keys are attended in spans of so many positions, merged in ascending order; a long cache may be cut there.
inline constexpr Index kAttentionSpan = 512;

// Causal attention of `rows` queries of one head; query i stands at position first_position + i *
// position_step. Online softmax over fixed blocks of positions: memory O(rows), bits independent of `rows`.
struct AttentionArgs {
  Index rows, first_position, head_width;  // head_width K <= 256
  AttentionForm form;
  const float* q;
  Index q_stride;           // (rows, K)
  const float* key_panels;  // packed by pack_keys, all that the last query sees
  const float* v;
  Index v_stride;  // (S, K)
  float* out;
  Index out_stride;         // (rows, K)
  float* log_sum_exp;       // (rows) of the logits, or null
  Index position_step = 1;  // 0: all queries at first_position, the heads of a group that share K and V
  // What attention_span has written, for attention_forward to merge: row i of span s is at
  // partials[(s * rows + i) * (K + 2)]; null: attention_forward computes all spans itself.
  float* partials = nullptr;
};

// Gradient of causal self-attention over a whole sequence (first_position 0) for one query head. dq is
// overwritten; dk and dv, which the H/G query heads of a group share, accumulate where asked to.
struct AttentionBackwardArgs {
  Index rows, head_width;
  AttentionForm form;
  const float *q, *k, *v, *out, *dout;  // (T, K) each
  Index q_stride, k_stride, v_stride, out_stride, dout_stride;
  const float* log_sum_exp;  // (T), from the forward pass
  float *dq, *dk, *dv;       // (T, K) each
  Index dq_stride, dk_stride, dv_stride;
  bool accumulate;  // add to dk and dv
  float* scratch;   // attention_backward_scratch(rows, head_width) floats
};

struct KernelTable {
  const char* isa;  // "scalar", "avx2", "avx512"

  // ---- products (gemm.cpp of each folder)
  Index panel_width;  // columns of one packed panel; fixed per ISA
  // Packs B(k, n), element (p, j) at b[p * k_stride + j * n_stride], into ceil(n / panel_width) panels
  // [panel][k][panel_width]; the last panel is padded with zeros.
  void (*pack_panels)(const float* b, Index k_stride, Index n_stride, Index k, Index n,
                      float* panels) noexcept;
  Index slab_rows;     // rows of C that pass over B together; cuts of m fall on multiples of it
  Index block_floats;  // of GemmArgs::b_scratch
  void (*gemm)(const GemmArgs& args) noexcept;

  // ---- attention (attention.cpp)
  // Writes `count` keys (row i at keys + i * stride) to positions first .. first + count of the panels.
  void (*pack_keys)(const float* keys, Index stride, Index count, Index head_width, Index first,
                    float* panels) noexcept;
  void (*attention_forward)(const AttentionArgs& args) noexcept;
  // The part of one span of keys, span * kAttentionSpan on, which the queries must see; writes args.partials.
  void (*attention_span)(const AttentionArgs& args, Index span) noexcept;
  Index (*attention_backward_scratch)(Index rows, Index head_width) noexcept;
  void (*attention_backward)(const AttentionBackwardArgs& args) noexcept;

  // ---- normalisation (generic/norm.inl); mean and rstd (rows each) may be null; statistics are two-pass
  // out = (x - mean) / sqrt(var + eps) * weight + bias; bias may be null.
  void (*layer_norm)(const float* x, Index x_stride, const float* weight, const float* bias, float eps,
                     Index rows, Index cols, float* out, Index out_stride, float* mean, float* rstd) noexcept;
  // dx (+)= ...; dweight and dbias (cols each, may be null) accumulate the sums over these rows.
  void (*layer_norm_backward)(const float* dout, const float* x, Index x_stride, const float* weight,
                              const float* mean, const float* rstd, Index rows, Index cols, float* dx,
                              bool accumulate, float* dweight,
                              float* dbias) noexcept;  // dout and dx contiguous
  // h = a + b (the residual stream; h may equal a or b), out = layer_norm(h), in one pass over memory. The
  // gradient is layer_norm_backward at h, accumulating into h's. All rows contiguous.
  void (*add_layer_norm)(const float* a, const float* b, const float* weight, const float* bias, float eps,
                         Index rows, Index cols, float* h, float* out, float* mean, float* rstd) noexcept;
  // out = x / sqrt(mean(x^2) + eps) * weight
  void (*rms_norm)(const float* x, Index x_stride, const float* weight, float eps, Index rows, Index cols,
                   float* out, Index out_stride, float* rstd) noexcept;
  void (*add_rms_norm)(const float* a, const float* b, const float* weight, float eps, Index rows, Index cols,
                       float* h, float* out, float* rstd) noexcept;  // likewise
  void (*rms_norm_backward)(const float* dout, const float* x, Index x_stride, const float* weight,
                            const float* rstd, Index rows, Index cols, float* dx, bool accumulate,
                            float* dweight) noexcept;

  // ---- elementwise over n contiguous elements (generic/elementwise.inl); out may equal an input. Against
  // the exact value, over all of f32: exp within 2 ulp, but zero is a legal result below 2^-126; tanh and erf
  // within 4 ulp; both GELUs and SiLU within 4 ulp or 1e-7, whichever is more; the slopes of both GELUs
  // within 1e-6. NaN gives NaN; infinities give the limits (gelu(-inf) = 0).
  void (*gelu_tanh)(const float* x, Index n,
                    float* out) noexcept;  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  void (*gelu_tanh_backward)(const float* dout, const float* x, Index n, float* dx, bool accumulate) noexcept;
  void (*gelu_erf)(const float* x, Index n, float* out) noexcept;  // 0.5 x (1 + erf(x / sqrt(2)))
  void (*gelu_erf_backward)(const float* dout, const float* x, Index n, float* dx, bool accumulate) noexcept;
  void (*silu)(const float* x, Index n, float* out) noexcept;                        // x / (1 + exp(-x))
  void (*swiglu)(const float* gate, const float* up, Index n, float* out) noexcept;  // silu(gate) * up
  void (*swiglu_backward)(
      const float* dout, const float* gate, const float* up, Index n, float* dgate, float* dup,
      bool accumulate) noexcept;  // one flag for both: the two are always written together
  void (*add)(const float* a, const float* b, Index n, float* out) noexcept;
  void (*mul)(const float* a, const float* b, Index n, float* out) noexcept;
  void (*relu)(const float* x, Index n, float* out) noexcept;
  void (*relu_backward)(const float* dout, const float* x, Index n, float* dx, bool accumulate) noexcept;
  void (*scale)(const float* x, float factor, Index n, float* out) noexcept;
  void (*axpy)(float factor, const float* x, Index n, float* y) noexcept;  // y += factor * x
  void (*exp)(const float* x, Index n, float* out) noexcept;
  void (*tanh)(const float* x, Index n, float* out) noexcept;
  void (*erf)(const float* x, Index n, float* out) noexcept;
  // Inverted dropout: element e of the call keeps x / keep where the Philox draw (seed, stream, first + e) is
  // < keep, else 0. The same function applied to dout is the backward pass. Draws equal base/random.h's, on
  // every ISA.
  void (*dropout)(const float* x, Index n, float keep, std::uint64_t seed, std::uint64_t stream,
                  std::uint64_t first, float* out) noexcept;

  // ---- reductions over n elements, in an order fixed by n (generic/reduce.inl); long sums end in double
  float (*dot)(const float* a, const float* b, Index n) noexcept;
  double (*sum_squares)(const float* x, Index n) noexcept;
  void (*column_sums)(const float* x, Index stride, Index rows, Index cols,
                      float* sums) noexcept;  // sums += over rows

  // ---- rows (generic/softmax.inl, rope.inl, gather.inl)
  // out row i = table row ids[i], `cols` elements; rows of the table are `stride` apart, those of out cols.
  void (*gather_rows)(const float* table, Index stride, const std::int32_t* ids, Index rows, Index cols,
                      float* out) noexcept;
  // table row ids[i] += x row i, in ascending order of i. Threads share out columns: one owns begin .. end.
  void (*scatter_add_rows)(const float* x, Index x_stride, const std::int32_t* ids, Index rows, Index begin,
                           Index end, float* table, Index stride) noexcept;
  // out[i] = log(sum(exp(row i))); infinities and NaN as softmax.
  void (*log_sum_exp)(const float* x, Index stride, Index rows, Index cols, float* out) noexcept;
  // Each row sums to 1 within 1e-6. -infinity gives 0; a NaN, +infinity or no finite element makes the row
  // NaN.
  void (*softmax)(const float* x, Index x_stride, Index rows, Index cols, float* out,
                  Index out_stride) noexcept;
  // losses[i] = log_sum_exp(row i) - row i[targets[i]]; a negative target is ignored: its loss is 0.
  void (*cross_entropy)(const float* logits, Index stride, const std::int32_t* targets, Index rows,
                        Index vocab, float* losses, float* log_sum_exp) noexcept;
  // dlogits = factor * (softmax(row) - onehot(target)), zero for ignored rows; dlogits may equal logits.
  void (*cross_entropy_backward)(const float* logits, Index stride, const std::int32_t* targets,
                                 const float* log_sum_exp, float factor, Index rows, Index vocab,
                                 float* dlogits, Index dlogits_stride) noexcept;
  // Down each column of a block: tops[j] = max_i x[i][j], x[i][j] = exp(x[i][j] - tops[j]), sums[j] = their
  // sum, one chain over ascending i.
  void (*column_softmax)(float* x, Index stride, Index rows, Index cols, float* tops, float* sums) noexcept;
  // Rotates pairs (j, j + K/2) of each of `heads` heads of one row by the angles of cosines and sines (K/2
  // each); direction +1 rotates forward, -1 back (the gradient). out may equal x.
  void (*rope)(const float* x, Index heads, Index head_width, const float* cosines, const float* sines,
               float direction, float* out) noexcept;
  // The same with pairs (2j, 2j + 1), the layout of GGUF's llama files.
  void (*rope_interleaved)(const float* x, Index heads, Index head_width, const float* cosines,
                           const float* sines, float direction, float* out) noexcept;

  // ---- optimiser: one pass over parameter, gradient and both moments
  void (*adamw)(const AdamWArgs& args, const float* gradient, Index n, float* parameter, float* m,
                float* v) noexcept;

  // ---- storage types
  void (*f16_to_f32)(const std::uint16_t* x, Index n, float* out) noexcept;
  void (*bf16_to_f32)(const std::uint16_t* x, Index n, float* out) noexcept;

  // ---- the machine's limits (generic/peak.inl): what the roofline is measured with
  double (*fma_flops)(Index iterations) noexcept;  // runs independent FMA chains, returns the FLOPs executed
  // Reads n floats and returns their sum: from the first to the last; likewise, asking for lines ahead of
  // use; four quarters side by side.
  float (*stream_read)(const float* x, Index n) noexcept;
  float (*stream_read_ahead)(const float* x, Index n) noexcept;
  float (*stream_read_quarters)(const float* x, Index n) noexcept;
  void (*stream_copy)(const float* x, Index n, float* out) noexcept;                 // 1 read, 1 write
  void (*stream_update)(float* x, Index n) noexcept;                                 // in place
  void (*stream_add)(const float* a, const float* b, Index n, float* out) noexcept;  // 2 reads, 1 write
  float (*stream_read2)(const float* a, const float* b, Index n) noexcept;           // 2 reads
  // 4 reads, 3 writes: a, b and c in place, as an optimiser does; their values stay what they are.
  void (*stream_update3)(const float* x, Index n, float* a, float* b, float* c) noexcept;
};

}  // namespace smallmind
