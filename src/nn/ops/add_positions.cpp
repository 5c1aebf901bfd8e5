// add_positions: out[i] = h[i] + table[position[i]]. Backward: dh += dout; dtable[position[i]] += dout[i],
// segments in order.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct AddPositionsBackward {
  static constexpr Op kOp = Op::add_positions;
  const Segment* segments;
  Index segment_count;
  float* dtable;
  Tensor h, out;

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    if (dout.rows == 0) return;
    const OpZone zone(ex, kOp, elementwise_cost(dout.size(), 1, 5));
    add_rows(ex, dout, ex.gradient_of(h));
    if (dtable == nullptr) return;
    const Index grain = std::max<Index>(16, kElementGrain / std::max<Index>(1, dout.rows));
    ex.parallel(dout.cols, grain, [&](Index begin, Index end) {  // positions repeat: threads own columns
      for (Index s = 0; s < segment_count; ++s)
        for (Index i = 0; i < segments[s].rows; ++i) {
          float* to = dtable + (segments[s].position + i) * dout.cols + begin;
          ex.kernels().add(to, dout.row(segments[s].first_row + i) + begin, end - begin, to);
        }
    });
  }
};

}  // namespace

Tensor add_positions(Exec& ex, const Tensor& h, const Param& table, const TokenBatch& batch) {
  SM_CHECK(h.rows == batch.rows() && h.cols == table.cols,
           "[add_positions] ({}, {}) expected, ({}, {}) given", batch.rows(), table.cols, h.rows, h.cols);
  const OpZone zone(ex, Op::add_positions, [&] { return elementwise_cost(h.size(), 1, 3); });
  const Tensor out = ex.recording() ? ex.make(h.rows, h.cols) : h;
  for (const Segment& segment : batch.segments) {
    if (segment.position + segment.rows > table.rows)
      fail_usage("[add_positions] at most {} positions expected, position {} given", table.rows,
                 segment.position + segment.rows - 1);
    ex.parallel(segment.rows, row_grain(h.cols), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Index row = segment.first_row + i;
        ex.kernels().add(h.row(row), table.data + (segment.position + i) * h.cols, h.cols, out.row(row));
      }
    });
  }
  ex.record(AddPositionsBackward{ex.keep(batch.segments), static_cast<Index>(batch.segments.size()),
                                 table.grad, h, out});
  return out;
}

}  // namespace smallmind
