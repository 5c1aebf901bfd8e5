// add: out = a + b. Backward: da += dout, db += dout.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct AddBackward {
  static constexpr Op kOp = Op::add;
  Tensor a, b, out;

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    if (dout.rows == 0) return;
    const OpZone zone(ex, kOp, elementwise_cost(dout.size(), 0, 4));
    add_rows(ex, dout, ex.gradient_of(a));
    add_rows(ex, dout, ex.gradient_of(b));
  }
};

}  // namespace

Tensor add(Exec& ex, const Tensor& a, const Tensor& b) {
  SM_CHECK(a.rows == b.rows && a.cols == b.cols, "[add] equal shapes expected, ({}, {}) and ({}, {}) given",
           a.rows, a.cols, b.rows, b.cols);
  const OpZone zone(ex, Op::add, add_cost(a.size()));
  const Tensor out = ex.recording() ? ex.make(a.rows, a.cols) : a;
  ex.parallel(a.rows, row_grain(a.cols), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) ex.kernels().add(a.row(i), b.row(i), a.cols, out.row(i));
  });
  ex.record(AddBackward{a, b, out});
  return out;
}

}  // namespace smallmind
