// The head fused with the cross-entropy, forward and backward, at 2048 tokens. FLOPs are those of the three
// products that nothing can do without, 2 N V D each; exponentials and what is computed twice do not count.
#include <fmt/format.h>

#include <optional>

#include "base/float_mode.h"
#include "nn/ops.h"
#include "profiler/kernel_bench/spec.h"

namespace smallmind {
namespace {

struct Shape {
  Index rows, width, vocab;
};

class LossOfHead {
 public:
  LossOfHead(ThreadPool& pool, const KernelTable& kernels, Shape shape)
      : shape_(shape),
        targets_(static_cast<std::size_t>(shape.rows)),
        arrays_{shape.rows * shape.width, shape.vocab * shape.width, shape.vocab * shape.width} {
    for (std::size_t i = 0; i < targets_.size(); ++i)
      targets_[i] = static_cast<std::int32_t>(static_cast<Index>(i) * 7919 % shape.vocab);
    Exec dry = Exec::measuring(pool, kernels, true);
    run(dry);
    exec_.emplace(pool, kernels, true, dry.memory());
  }

  void run() {
    const FlushDenormals flush;
    run(*exec_);
  }

 private:
  void run(Exec& exec) {
    const Step step(exec);
    Tensor h{arrays_[0], shape_.rows, shape_.width, shape_.width, nullptr, 0};
    h.grad = exec.make(shape_.rows, shape_.width).grad;
    const Param head{
        .name = "head", .rows = shape_.vocab, .cols = shape_.width, .data = arrays_[1], .grad = arrays_[2]};
    const float one = 1.0f;
    exec.backward(linear_cross_entropy(exec, h, head, targets_).output(), &one);
  }

  Shape shape_;
  std::vector<std::int32_t> targets_;
  Arrays arrays_;
  std::optional<Exec> exec_;
};

}  // namespace

std::vector<KernelSpec> loss_specs() {
  std::vector<KernelSpec> list;
  for (const Index width : {128, 256, 384, 768}) {
    for (const Index vocab : {512, 50257}) {
      const Shape shape{2048, width, vocab};
      list.push_back({{"loss"},
                      "linear_cross_entropy",
                      "forward + backward",
                      fmt::format("N{} D{} V{}", shape.rows, width, vocab),
                      {"linear cross-entropy"},
                      0,
                      [shape](const BenchContext& context) {
                        const auto loss = std::make_shared<LossOfHead>(context.pool, context.kernels, shape);
                        KernelWork work;
                        work.cost = 3 * product_cost(shape.rows, shape.vocab, shape.width);
                        work.run = [loss] { loss->run(); };
                        work.roofs.push_back(fma_roof(context));
                        return work;
                      }});
    }
  }
  return list;
}

}  // namespace smallmind
