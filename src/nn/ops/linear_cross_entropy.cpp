// linear_cross_entropy: loss = mean over rows with a target of log sum exp(h W^T) - (h W^T)[target], h (N,
// D), W (V, D), without the (N, V) logits.
//
// Rows go in slices of R. A slice's logits are made transposed, S = W h^T (V, R), in blocks of the vocabulary
// that stay in L2: so W is read in place, the packed operand is the small h, and softmax runs down columns.
// A block leaves E = exp(S - its column's maximum), the maximum and the sum. With them the whole column is
// known, and dS = E * factor - onehot(target) * dloss / count gives, while it is in the cache,
//   dW += dS h,   dh += dS^T W.
// Three products of 2 N V D FLOPs: no logit is computed twice. That needs dloss, hence the pass is the
// backward one; an Exec that does not record keeps no E, and of S only a block.
//
// Memory: E is (V, R) with R = 192 to 384 rows (Hsu et al., arXiv:2410.10989, cut rows likewise). Every sum
// has one order: a column's blocks ascend, as do the chains over V of dh and over N of dW, whatever R and the
// number of threads are. So a row's loss does not depend on the other rows.
#include <bit>
#include <cmath>
#include <limits>

#include "nn/matmul.h"
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

// Rows of a slice: W comes from memory twice a slice and dW goes there and back, so D + R decide how many
// multiply-adds a transferred float pays for; 384 rows at D 128, 192 from D 384 on.
constexpr Index kSliceFloats = Index{72} << 10;  // of h: a quarter of an L2 of 1 MiB
constexpr Index kLeastSlice = 192, kMostSlice = 384;
constexpr Index kSmallScores = Index{1} << 20;  // of S: where the vocabulary is small, more rows go at once
// Rows of W in a block: at least 32, and 16 blocks if the vocabulary is small, to occupy the threads.
constexpr Index kBlockFloats = Index{144} << 10;  // of W: half of an L2
constexpr Index kLeastBlock = 32, kMostBlock = 1024, kBlocks = 16;
// Of dS: it is made for some blocks at once and read for dh while it is in L3, since one thread needs what
// another one made.
constexpr Index kTurnFloats = Index{1} << 20;

// A NaN that no arithmetic makes: the loss of a recorded pass before backward.
constexpr std::uint32_t kNotYet = 0x7fc1'0552;

Index ceil_div(Index x, Index y) {
  return (x + y - 1) / y;
}
Index round_up(Index x, Index y) {
  return ceil_div(x, y) * y;
}

// How the work is cut. Blocks depend on (V, D) only.
struct Cut {
  Index block, blocks;  // rows of W
  Index rows, stride;   // of a slice, and of S
  Index turn;           // blocks whose dS is held at once

  Cut(Index n, Index vocab, Index width, Index threads) {
    const Index most = std::clamp(kBlockFloats / width, kLeastBlock, kMostBlock);
    blocks = std::max(ceil_div(vocab, most), std::clamp<Index>(vocab / kLeastBlock, 1, kBlocks));
    block = round_up(ceil_div(vocab, blocks), 8);
    blocks = ceil_div(vocab, block);
    const Index slice = std::clamp(kSliceFloats / width, kLeastSlice, kMostSlice);
    const Index slices = std::max<Index>(1, ceil_div(n, std::max(slice, kSmallScores / vocab)));
    rows = std::min(n, round_up(ceil_div(n, slices), 16));
    // An odd number of cache lines, so that a column's elements spread over all sets of the L1.
    stride = (ceil_div(rows, 16) | 1) * 16;
    turn = std::min(blocks, round_up(std::max<Index>(1, kTurnFloats / (block * stride)), threads));
  }
};

struct Call {
  Tensor h;
  const float* weight;  // (V, D)
  Index vocab;
  const std::int32_t* targets;  // (N)
  Index count;                  // rows with a target
};

// What backward adds: dloss / count, and where to.
struct Gradients {
  float factor = 0;
  GradTarget dh;
  float* dweight = nullptr;
};

class Pass {
 public:
  Pass(Exec& ex, const Call& call, const Gradients* gradients)
      : ex_(ex), call_(call), to_(gradients), cut_(call.h.rows, call.vocab, call.h.cols, ex.pool().size()) {
    const KernelTable& k = ex.kernels();
    const Index width = call.h.cols;
    const auto packed = [&k](Index depth, Index cols) {
      return static_cast<Index>(packed_bytes(k, depth, cols) / sizeof(float));
    };
    columns_ = ex.scratch(packed(width, cut_.rows));
    if (to_ != nullptr && to_->dweight != nullptr) rows_ = ex.scratch(packed(cut_.rows, width));
    scores_ = ex.scratch((to_ != nullptr ? call.vocab : ex.pool().size() * cut_.block) * cut_.stride);
    grads_ = to_ != nullptr && !in_place() ? ex.scratch(cut_.turn * cut_.block * cut_.stride) : scores_;
    tops_ = ex.scratch(cut_.blocks * cut_.stride);
    sums_ = ex.scratch(cut_.blocks * cut_.stride);
    for (float** row : {&top_, &total_, &target_}) *row = ex.scratch(cut_.stride);
  }

  // The mean loss; adds the gradients if there are any to add.
  double run() {
    double sum = 0;
    for (first_ = 0; first_ < call_.h.rows && !ex_.measuring(); first_ += cut_.rows) {
      slice_ = std::min(cut_.rows, call_.h.rows - first_);
      sum += slice();
    }
    return call_.count == 0 ? 0.0 : sum / static_cast<double>(call_.count);
  }

 private:
  double slice() {
    const Tensor& h = call_.h;
    pack_matrix(ex_.pool(), ex_.kernels(), h.row(first_), 1, h.stride, h.cols, slice_, columns_);
    if (rows_ != nullptr)
      pack_matrix(ex_.pool(), ex_.kernels(), h.row(first_), h.stride, 1, slice_, h.cols, rows_);
    ex_.parallel(cut_.blocks, 1, [&](int part, Index begin, Index end) {
      for (Index b = begin; b < end; ++b) score(b, to_ != nullptr ? block_scores(b) : part_scores(part));
    });
    ex_.parallel(slice_, 16, [&](Index begin, Index end) { join(begin, end); });
    for (Index turn = 0; turn < cut_.blocks && to_ != nullptr; turn += cut_.turn) {
      const Index turn_end = std::min(turn + cut_.turn, cut_.blocks);
      ex_.parallel(turn_end - turn, 1, [&](Index begin, Index end) {
        for (Index b = turn + begin; b < turn + end; ++b) weight_gradient(b);
      });
      if (!to_->dh) continue;
      ex_.parallel(slice_, ex_.kernels().slab_rows, [&](Index begin, Index end) {
        for (Index b = turn; b < turn_end; ++b) hidden_gradient(b, begin, end);
      });
    }
    double sum = 0;
    for (Index j = 0; j < slice_; ++j) {
      if (call_.targets[first_ + j] < 0) continue;
      sum += static_cast<double>(top_[j]) + std::log(static_cast<double>(total_[j])) -
             static_cast<double>(target_[j]);
    }
    return sum;
  }

  Index block_rows(Index b) const { return std::min(cut_.block, call_.vocab - b * cut_.block); }
  const float* block_weight(Index b) const { return call_.weight + b * cut_.block * call_.h.cols; }
  float* block_scores(Index b) const { return scores_ + b * cut_.block * cut_.stride; }
  float* part_scores(int part) const { return scores_ + part * cut_.block * cut_.stride; }

  // Of a small vocabulary dS takes the place of E, else a place that stays in the cache: E is read from
  // memory once, and not written back.
  bool in_place() const { return cut_.turn == cut_.blocks; }
  float* block_gradient(Index b) const { return grads_ + b % cut_.turn * cut_.block * cut_.stride; }

  // f(row of the block, row of the slice) for each target in block b.
  template <class F>
  void for_targets(Index b, F&& f) const {
    const Index begin = b * cut_.block, rows = block_rows(b);
    for (Index j = 0; j < slice_; ++j) {
      const Index at = call_.targets[first_ + j] - begin;
      if (at >= 0 && at < rows && call_.targets[first_ + j] >= 0) f(at, j);
    }
  }

  // S of block b, then E with its maxima and sums.
  void score(Index b, float* scores) const {
    const KernelTable& k = ex_.kernels();
    const Index width = call_.h.cols;
    k.gemm({.m = block_rows(b),
            .n = slice_,
            .k = width,
            .a = block_weight(b),
            .a_row_stride = width,
            .a_k_stride = 1,
            .b = columns_,
            .b_panel_stride = width * k.panel_width,
            .b_k_stride = k.panel_width,
            .c = scores,
            .c_stride = cut_.stride,
            .bias = nullptr,
            .accumulate = false});
    for_targets(b, [&](Index at, Index j) { target_[j] = scores[at * cut_.stride + j]; });
    k.column_softmax(scores, cut_.stride, block_rows(b), slice_, tops_ + b * cut_.stride,
                     sums_ + b * cut_.stride);
  }

  // top = max over blocks, total = sum of exp(S - top) of columns begin .. end; tops become the factors by
  // which E is dS.
  void join(Index begin, Index end) const {
    const KernelTable& k = ex_.kernels();
    const Index n = end - begin;
    std::fill(top_ + begin, top_ + end, -std::numeric_limits<float>::infinity());
    std::fill(total_ + begin, total_ + end, 0.0f);
    for (Index b = 0; b < cut_.blocks; ++b) {
      const float* tops = tops_ + b * cut_.stride;
      for (Index j = begin; j < end; ++j) top_[j] = std::max(top_[j], tops[j]);
    }
    for (Index b = 0; b < cut_.blocks; ++b) {
      float* tops = tops_ + b * cut_.stride;
      const float* sums = sums_ + b * cut_.stride;
      for (Index j = begin; j < end; ++j) tops[j] -= top_[j];
      k.exp(tops + begin, n, tops + begin);
      for (Index j = begin; j < end; ++j) total_[j] += tops[j] * sums[j];
    }
    if (to_ == nullptr) return;
    float* factors = sums_;  // of the first block: no longer needed
    for (Index j = begin; j < end; ++j)
      factors[j] = call_.targets[first_ + j] < 0 ? 0.0f : to_->factor / total_[j];
    for (Index b = 0; b < cut_.blocks; ++b)
      k.mul(tops_ + b * cut_.stride + begin, factors + begin, n, tops_ + b * cut_.stride + begin);
  }

  // E -> dS, and dW += dS h.
  void weight_gradient(Index b) const {
    const KernelTable& k = ex_.kernels();
    const Index width = call_.h.cols;
    const float* e = block_scores(b);
    float* ds = block_gradient(b);
    for (Index i = 0; i < block_rows(b); ++i)
      k.mul(e + i * cut_.stride, tops_ + b * cut_.stride, slice_, ds + i * cut_.stride);
    for_targets(b, [&](Index at, Index j) { ds[at * cut_.stride + j] -= to_->factor; });
    if (to_->dweight == nullptr) return;
    k.gemm({.m = block_rows(b),
            .n = width,
            .k = slice_,
            .a = ds,
            .a_row_stride = cut_.stride,
            .a_k_stride = 1,
            .b = rows_,
            .b_panel_stride = slice_ * k.panel_width,
            .b_k_stride = k.panel_width,
            .c = to_->dweight + b * cut_.block * width,
            .c_stride = width,
            .bias = nullptr,
            .accumulate = true});
  }

  // dh of rows begin .. end of the slice += dS^T W of block b.
  void hidden_gradient(Index b, Index begin, Index end) const {
    const Index width = call_.h.cols;
    ex_.kernels().gemm({.m = end - begin,
                        .n = width,
                        .k = block_rows(b),
                        .a = block_gradient(b) + begin,
                        .a_row_stride = 1,
                        .a_k_stride = cut_.stride,
                        .b = block_weight(b),
                        .b_panel_stride = ex_.kernels().panel_width,
                        .b_k_stride = width,
                        .c = to_->dh.data + (first_ + begin) * to_->dh.stride,
                        .c_stride = to_->dh.stride,
                        .bias = nullptr,
                        .accumulate = to_->dh.accumulate || b > 0});
  }

  Exec& ex_;
  const Call& call_;
  const Gradients* to_;
  Cut cut_;
  float *columns_, *rows_ = nullptr;  // h^T and h of the slice, packed
  float* scores_;                     // S, then E: (V, stride), or one block per thread
  float* grads_;                      // dS of a turn's blocks
  float *tops_, *sums_;               // (blocks, stride)
  float *top_, *total_, *target_;     // (stride): of whole columns; the target's logit
  Index first_ = 0, slice_ = 0;       // the present slice
};

double run_pass(Exec& ex, const Call& call, const Gradients* gradients) {
  ScratchScope scratch(ex);
  return Pass(ex, call, gradients).run();
}

// The products, and 5 operations per logit: maximum, difference, exp, sum, scale.
OpCost cost(const Call& call, Index products) {
  return products * product_cost(call.h.rows, call.vocab, call.h.cols) +
         OpCost{5 * call.h.rows * call.vocab, 0};
}

struct LinearCrossEntropyBackward {
  static constexpr Op kOp = Op::linear_cross_entropy;
  Call call;
  Tensor loss;
  float* dweight;

  void backward(Exec& ex) const {
    const Tensor dloss = ex.incoming(loss);
    if (dloss.rows == 0) return;
    Gradients to{.dh = ex.gradient_of(call.h), .dweight = dweight};
    const OpZone zone(ex, kOp, cost(call, 1 + (to.dh ? 1 : 0) + (dweight == nullptr ? 0 : 1)));
    if (!ex.measuring() && call.count > 0) to.factor = dloss.data[0] / static_cast<float>(call.count);
    const double mean = run_pass(ex, call, &to);
    if (!ex.measuring()) loss.data[0] = static_cast<float>(mean);
  }
};

}  // namespace

float Loss::value() const {
  SM_CHECK(output_.data != nullptr, "[loss] a dry run computes none");
  SM_CHECK(std::bit_cast<std::uint32_t>(output_.data[0]) != kNotYet,
           "[loss] its value comes with Exec::backward(), which has not run");
  return output_.data[0];
}

Loss linear_cross_entropy(Exec& ex, const Tensor& h, const Param& weight,
                          std::span<const std::int32_t> targets) {
  SM_CHECK(weight.cols == h.cols, "[linear_cross_entropy] {} expects {} inputs, {} given", weight.name,
           weight.cols, h.cols);
  SM_CHECK(static_cast<Index>(targets.size()) == h.rows,
           "[linear_cross_entropy] {} targets expected, {} given", h.rows, targets.size());
  Call call{h, weight.data, weight.rows, targets.data(), 0};
  for (const std::int32_t target : targets) {
    if (target >= weight.rows)
      fail_usage("[linear_cross_entropy] targets below {} expected, {} given", weight.rows, target);
    call.count += target >= 0;
  }
  const Tensor loss = ex.make(1, 1);
  if (ex.recording()) {
    if (!ex.measuring()) loss.data[0] = std::bit_cast<float>(kNotYet);
    call.targets = ex.keep(targets);
    ex.record(LinearCrossEntropyBackward{call, loss, weight.grad});
    return Loss(loss);
  }
  const OpZone zone(ex, Op::linear_cross_entropy, cost(call, 1));
  const double mean = run_pass(ex, call, nullptr);
  if (!ex.measuring()) loss.data[0] = static_cast<float>(mean);
  return Loss(loss);
}

}  // namespace smallmind
