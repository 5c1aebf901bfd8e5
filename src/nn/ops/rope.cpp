// rope: rotates each pair of each head by the angle of the row's position; the table says what a pair is.
//
// A rotation's transpose is the rotation back, so dx = rotate(dout, -angle).
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct RotateArgs {
  const Segment* segments;
  Index segment_count;
  const RopeTable* table;
  Index heads;
  float direction;
};

// out row = rotate(x row) for all rows.
void rotate(Exec& ex, const RotateArgs& args, const Tensor& x, float* out, Index out_stride) {
  const auto rotate_row =
      args.table->layout() == RopeLayout::halves ? ex.kernels().rope : ex.kernels().rope_interleaved;
  for (Index s = 0; s < args.segment_count; ++s) {
    const Segment& segment = args.segments[s];
    ex.parallel(segment.rows, row_grain(x.cols), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Index row = segment.first_row + i;
        rotate_row(x.row(row), args.heads, x.cols / args.heads, args.table->cosines(segment.position + i),
                   args.table->sines(segment.position + i), args.direction, out + row * out_stride);
      }
    });
  }
}

struct RopeBackward {
  static constexpr Op kOp = Op::rope;
  RotateArgs args;  // forward direction
  Tensor x, out;

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    const GradTarget dx = dout.rows == 0 ? GradTarget{} : ex.gradient_of(x);
    if (!dx) return;
    const OpZone zone(ex, kOp, elementwise_cost(x.size(), 3, 2));
    RotateArgs back = args;
    back.direction = -1.0f;
    if (!dx.accumulate) return rotate(ex, back, dout, dx.data, dx.stride);
    ScratchScope scratch(ex);
    const Tensor rotated{ex.scratch(dout.size()), dout.rows, dout.cols, dout.cols, nullptr, 0};
    rotate(ex, back, dout, rotated.data, rotated.stride);
    add_rows(ex, rotated, dx);
  }
};

}  // namespace

Tensor rope(Exec& ex, const Tensor& x, const RopeTable& table, std::int64_t heads, const TokenBatch& batch) {
  SM_CHECK(x.cols == heads * 2 * table.half(), "[rope] {} heads of width {} expected, {} columns given",
           heads, 2 * table.half(), x.cols);
  const OpZone zone(ex, Op::rope, [&] { return elementwise_cost(x.size(), 3, 2); });
  const Tensor out = ex.recording() ? ex.make(x.rows, x.cols) : x;
  RotateArgs args{batch.segments.data(), static_cast<Index>(batch.segments.size()), &table, heads, 1.0f};
  rotate(ex, args, x, out.data, out.stride);
  args.segments = ex.keep(batch.segments);
  ex.record(RopeBackward{args, x, out});
  return out;
}

}  // namespace smallmind
