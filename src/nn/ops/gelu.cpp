// gelu: out = x Phi(x), Phi by erf or by GPT-2's tanh form. Backward: dx (+)= dout d(x Phi(x))/dx.
#include "nn/ops.h"
#include "nn/ops/common.h"

namespace smallmind {
namespace {

struct GeluBackward {
  static constexpr Op kOp = Op::gelu;
  Tensor x, out;
  GeluForm form;

  void backward(Exec& ex) const {
    const Tensor dout = ex.incoming(out);
    const GradTarget dx = dout.rows == 0 ? GradTarget{} : ex.gradient_of(x);
    if (!dx) return;
    SM_CHECK(dx.stride == x.cols && x.contiguous(),
             "[gelu] a whole activation expected, a view of columns given");
    const OpZone zone(ex, kOp, elementwise_cost(x.size(), kGeluBackwardFlops, 3));
    const auto kernel =
        form == GeluForm::tanh ? ex.kernels().gelu_tanh_backward : ex.kernels().gelu_erf_backward;
    ex.parallel(x.size(), kElementGrain, [&](Index begin, Index end) {
      kernel(dout.data + begin, x.data + begin, end - begin, dx.data + begin, dx.accumulate);
    });
  }
};

}  // namespace

Tensor gelu(Exec& ex, const Tensor& x, GeluForm form) {
  SM_CHECK(x.contiguous(), "[gelu] contiguous rows expected");
  const OpZone zone(ex, Op::gelu, gelu_cost(x.size()));
  const Tensor out = ex.recording() ? ex.make(x.rows, x.cols) : x;
  const auto kernel = form == GeluForm::tanh ? ex.kernels().gelu_tanh : ex.kernels().gelu_erf;
  ex.parallel(x.size(), kElementGrain / 4,
              [&](Index begin, Index end) { kernel(x.data + begin, end - begin, out.data + begin); });
  ex.record(GeluBackward{x, out, form});
  return out;
}

}  // namespace smallmind
