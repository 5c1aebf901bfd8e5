// swiglu: out = silu(gate) up. Backward, with s = sigmoid(gate): dgate = dout up s (1 + gate (1 - s)), dup =
// dout silu(gate).
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct SwigluBackward {
  static constexpr Op kOp = Op::swiglu;
  Tensor gate, up, out;

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    if (dout.rows == 0) return;
    const GradTarget dgate = ex.gradient_of(gate);
    const GradTarget dup = ex.gradient_of(up);
    if (!dgate && !dup) return;
    const OpZone zone(ex, kOp, elementwise_cost(gate.size(), 10, 5));
    // Both inputs are fresh products with this as their only reader.
    SM_CHECK(dgate && dup && dgate.accumulate == dup.accumulate && dgate.stride == gate.cols &&
                 dup.stride == up.cols,
             "[swiglu] gate and up of one kind expected");
    ex.parallel(gate.size(), kElementGrain / 4, [&](Index begin, Index end) {
      ex.kernels().swiglu_backward(dout.data + begin, gate.data + begin, up.data + begin, end - begin,
                                   dgate.data + begin, dup.data + begin, dgate.accumulate);
    });
  }
};

}  // namespace

Tensor swiglu(Exec& ex, const Tensor& gate, const Tensor& up) {
  SM_CHECK(gate.rows == up.rows && gate.cols == up.cols && gate.contiguous() && up.contiguous(),
           "[swiglu] equal contiguous shapes expected, ({}, {}) and ({}, {}) given", gate.rows, gate.cols,
           up.rows, up.cols);
  const OpZone zone(ex, Op::swiglu, [&] { return elementwise_cost(gate.size(), 5, 3); });
  const Tensor out = ex.recording() ? ex.make(gate.rows, gate.cols) : gate;
  ex.parallel(gate.size(), kElementGrain / 4, [&](Index begin, Index end) {
    ex.kernels().swiglu(gate.data + begin, up.data + begin, end - begin, out.data + begin);
  });
  ex.record(SwigluBackward{gate, up, out});
  return out;
}

}  // namespace smallmind
