// cross_entropy: loss = mean over rows with a target of log sum exp(row) - row[target].
//
// Backward: dlogits = dloss (softmax(row) - onehot(target)) / count.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct CrossEntropyBackward {
  static constexpr Op kOp = Op::cross_entropy;
  Tensor logits, loss;
  const std::int32_t* targets;
  const float* log_sum_exp;
  Index count;  // rows with a target

  void backward(Exec& ex) const {
    const Tensor dloss = ex.incoming(loss);
    const GradTarget dlogits = dloss.rows == 0 ? GradTarget{} : ex.gradient_of(logits);
    if (!dlogits) return;
    SM_CHECK(!dlogits.accumulate, "[cross_entropy] logits that nothing else reads expected");
    const OpZone zone(ex, kOp, elementwise_cost(logits.size(), 3, 2));
    const float factor = ex.measuring() || count == 0 ? 0.0f : dloss.data[0] / static_cast<float>(count);
    ex.parallel(logits.rows, row_grain(logits.cols), [&](Index begin, Index end) {
      ex.kernels().cross_entropy_backward(logits.row(begin), logits.stride, targets + begin,
                                          log_sum_exp + begin, factor, end - begin, logits.cols,
                                          dlogits.data + begin * dlogits.stride, dlogits.stride);
    });
  }
};

}  // namespace

Tensor cross_entropy(Exec& ex, const Tensor& logits, std::span<const std::int32_t> targets) {
  SM_CHECK(static_cast<Index>(targets.size()) == logits.rows, "[cross_entropy] {} targets expected, {} given",
           logits.rows, targets.size());
  Index count = 0;
  for (const std::int32_t target : targets) {
    if (target >= logits.cols)
      fail_usage("[cross_entropy] targets below {} expected, {} given", logits.cols, target);
    count += target >= 0;
  }
  const OpZone zone(ex, Op::cross_entropy, elementwise_cost(logits.size(), 4, 1));
  const Tensor loss = ex.make(1, 1);
  auto* losses = ex.save<float>(logits.rows);
  auto* log_sum_exp = ex.save<float>(logits.rows);
  ex.parallel(logits.rows, row_grain(logits.cols), [&](Index begin, Index end) {
    ex.kernels().cross_entropy(logits.row(begin), logits.stride, targets.data() + begin, end - begin,
                               logits.cols, losses + begin, log_sum_exp + begin);
  });
  if (!ex.measuring()) {
    double sum = 0;
    for (Index i = 0; i < logits.rows; ++i) sum += static_cast<double>(losses[i]);
    loss.data[0] = count == 0 ? 0.0f : static_cast<float>(sum / static_cast<double>(count));
  }
  ex.record(CrossEntropyBackward{logits, loss, ex.keep(targets), log_sum_exp, count});
  return loss;
}

}  // namespace smallmind
