// embedding: h[i] = table[token[i]]. Backward: dtable[token[i]] += dout[i], rows in ascending order.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct EmbeddingBackward {
  static constexpr Op kOp = Op::embedding;
  const std::int32_t* tokens;
  float* dtable;
  Tensor out;

  // Several rows may name one token, so threads own columns, not rows.
  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    if (dout.rows == 0 || dtable == nullptr) return;
    const OpZone zone(ex, kOp, elementwise_cost(dout.size(), 1, 3));
    const Index grain = std::max<Index>(16, kElementGrain / std::max<Index>(1, dout.rows));
    ex.parallel(dout.cols, grain, [&](Index begin, Index end) {
      ex.kernels().scatter_add_rows(dout.data, dout.stride, tokens, dout.rows, begin, end, dtable, dout.cols);
    });
  }
};

}  // namespace

Tensor embedding(Exec& ex, const Param& table, const TokenBatch& batch) {
  const Index rows = batch.rows();
  for (const std::int32_t token : batch.tokens)
    if (token < 0 || token >= table.rows)
      fail_usage("[embedding] token ids in 0..{} expected, {} given", table.rows - 1, token);
  const OpZone zone(ex, Op::embedding, [&] { return elementwise_cost(rows * table.cols, 0, 2); });
  const Tensor out = ex.make(rows, table.cols);
  ex.parallel(rows, row_grain(table.cols), [&](Index begin, Index end) {
    ex.kernels().gather_rows(table.data, table.cols, batch.tokens.data() + begin, end - begin, table.cols,
                             out.row(begin));
  });
  ex.record(EmbeddingBackward{ex.keep(batch.tokens), table.grad, out});
  return out;
}

}  // namespace smallmind
