// embedding: h[i] = table[token[i]], with learned positions + positions[position[i]] in the same pass.
//
// Backward: dtable[token[i]] += dout[i], rows in ascending order; dpositions[position[i]] += dout[i],
// segments in order. Several rows may name one token or position, so threads own columns, not rows.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

// A row that is looked up costs a read and a write, one that is added to it another read and an addition.
OpCost forward_cost(Index elements, const Param& positions) {
  return positions.exists() ? elementwise_cost(elements, 1, 3) : elementwise_cost(elements, 0, 2);
}

void check_rows(const Param& table, const Param& positions, const TokenBatch& batch) {
  for (const std::int32_t token : batch.tokens)
    if (token < 0 || token >= table.rows)
      fail_usage("[embedding] token ids in 0..{} expected, {} given", table.rows - 1, token);
  if (!positions.exists()) return;
  SM_CHECK(positions.cols == table.cols, "[embedding] positions as wide as tokens, {}, expected, {} given",
           table.cols, positions.cols);
  for (const Segment& segment : batch.segments)
    if (segment.position + segment.rows > positions.rows)
      fail_usage("[embedding] at most {} positions expected, position {} given", positions.rows,
                 segment.position + segment.rows - 1);
}

struct EmbeddingBackward {
  static constexpr Op kOp = Op::embedding;
  const std::int32_t* tokens;
  const Segment* segments;
  std::size_t segment_count;
  float *dtable, *dpositions;  // null where not trained
  Tensor out;

  void add_to_positions(Exec& ex, const Tensor& dout, Index begin, Index end) const {
    for (const Segment& segment : std::span(segments, segment_count))
      for (Index i = 0; i < segment.rows; ++i) {
        float* to = dpositions + (segment.position + i) * dout.cols + begin;
        ex.kernels().add(to, dout.row(segment.first_row + i) + begin, end - begin, to);
      }
  }

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    const int trained = (dtable != nullptr ? 1 : 0) + (dpositions != nullptr ? 1 : 0);
    if (dout.rows == 0 || trained == 0) return;
    const OpZone zone(ex, kOp, elementwise_cost(dout.size(), trained, 1 + 2 * trained));
    const Index grain = std::max<Index>(16, kElementGrain / std::max<Index>(1, dout.rows));
    ex.parallel(dout.cols, grain, [&](Index begin, Index end) {
      if (dpositions != nullptr) add_to_positions(ex, dout, begin, end);
      if (dtable != nullptr)
        ex.kernels().scatter_add_rows(dout.data, dout.stride, tokens, dout.rows, begin, end, dtable,
                                      dout.cols);
    });
  }
};

}  // namespace

Tensor embedding(Exec& ex, const Param& table, const Param& positions, const TokenBatch& batch) {
  check_rows(table, positions, batch);
  const Index rows = batch.rows(), cols = table.cols;
  const OpZone zone(ex, Op::embedding, [&] { return forward_cost(rows * cols, positions); });
  const Tensor out = ex.make(rows, cols);
  ex.parallel(rows, row_grain(cols), [&](Index begin, Index end) {
    if (!positions.exists())
      return ex.kernels().gather_rows(table.data, cols, batch.tokens.data() + begin, end - begin, cols,
                                      out.row(begin));
    for (const Segment& segment : batch.segments) {
      const Index last = std::min(end, segment.first_row + segment.rows);
      for (Index row = std::max(begin, segment.first_row); row < last; ++row)
        ex.kernels().add(table.data + batch.tokens[static_cast<std::size_t>(row)] * cols,
                         positions.data + (segment.position + row - segment.first_row) * cols, cols,
                         out.row(row));
    }
  });
  ex.record(EmbeddingBackward{ex.keep(batch.tokens), ex.keep(batch.segments), batch.segments.size(),
                              table.grad, positions.grad, out});
  return out;
}

Tensor embedding(Exec& ex, const Param& table, const TokenBatch& batch) {
  return embedding(ex, table, Param{}, batch);
}

}  // namespace smallmind
