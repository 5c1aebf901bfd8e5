// Causal self-attention as the model runs it: the op with its tape. FLOPs count the pairs
// that the mask leaves, T(T+1)/2 per head; backward is timed alone.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/float_mode.h"
#include "nn/ops.h"
#include "profiler/kernel_bench/spec.h"

namespace smallmind {
namespace {

struct Shape {
  Index time, heads, head_width;
  Index batch = 1;
  Index rows() const { return batch * time; }
  Index width() const { return heads * head_width; }
};

// Stands for what follows attention in a model: its backward leaves dout in attention's gradient, which
// Exec's own seed would copy within the time of every step. The gradient keeps its place, so one copy serves
// all steps.
struct Follower {
  static constexpr Op kOp = Op::attention;
  Tensor input;
  const float* dout;
  bool* copied;

  void backward(Exec& ex) const {
    bool fresh = false;
    float* gradient = ex.gradient_slot(input, fresh);
    if (ex.measuring() || *copied) return;
    std::copy_n(dout, input.size(), gradient);
    *copied = true;
  }
};

// The op on q, k and v that are the three parts of one activation, as in a model.
class Attention {
 public:
  Attention(ThreadPool& pool, const KernelTable& kernels, Shape shape)
      : shape_(shape),
        tokens_(static_cast<std::size_t>(shape.rows())),
        random_{3 * shape.rows() * shape.width(), shape.rows() * shape.width()} {
    for (Index b = 0; b < shape.batch; ++b) segments_.push_back({b * shape.time, shape.time, 0, b});
    Exec dry = Exec::measuring(pool, kernels, true);
    run(dry);
    forward_cost_ = dry.cost();
    dry.backward(end_, random_[1]);
    memory_ = dry.memory();
    exec_.emplace(pool, kernels, true, memory_);
    run(*exec_);
    std::copy_n(random_[0], qkv_.size(), qkv_.data);  // the activation keeps its place in every step
  }

  void forward() { run(*exec_); }
  void backward() {
    const FlushDenormals flush;
    exec_->backward(end_, random_[1]);
  }
  OpCost forward_cost() const { return forward_cost_; }

  // All memory of both passes except q, k, v, the result and the gradients of these.
  double extra_mib() const {
    const Index rows_of_activations = 3 + 1, gradients = 3 + 1;
    const Index theirs = (rows_of_activations + gradients) * shape_.rows() * shape_.width() * 4;
    return static_cast<double>(static_cast<Index>(memory_.total()) - theirs) / (1 << 20);
  }

 private:
  void run(Exec& exec) {
    const Step step(exec);
    const Index width = shape_.width();
    qkv_ = exec.make(shape_.rows(), 3 * width);
    const Tensor out =
        attention(exec, qkv_.columns(0, width), qkv_.columns(width, width), qkv_.columns(2 * width, width),
                  {shape_.heads, shape_.heads, shape_.head_width}, {tokens_, segments_}, nullptr, 0);
    end_ = exec.make(1, 1);
    exec.record(Follower{out, random_[1], &copied_});
  }

  Shape shape_;
  std::vector<std::int32_t> tokens_;
  std::vector<Segment> segments_;
  Arrays random_;
  ExecMemory memory_;
  OpCost forward_cost_;
  std::optional<Exec> exec_;
  Tensor qkv_, end_;
  bool copied_ = false;
};

KernelWork attention_work(const BenchContext& context, Shape shape, bool backward) {
  const auto a = std::make_shared<Attention>(context.pool, context.kernels, shape);
  KernelWork work;
  work.roofs.push_back(fma_roof(context));
  if (backward) {
    work.cost = attention_backward_cost(a->forward_cost());
    work.prepare = [a] { a->forward(); };
    work.run = [a] { a->backward(); };
  } else {
    work.cost = a->forward_cost();
    work.run = [a] { a->forward(); };
  }
  return work;
}

}  // namespace

std::vector<KernelSpec> attention_specs() {
  static constexpr Shape kShape{1024, 8, 64}, kShort{64, 6, 64, 12}, kRecipe{64, 4, 32, 12};
  const auto name_of = [](const Shape& s) {
    return s.batch == 1 ? fmt::format("T{} H{} K{}", s.time, s.heads, s.head_width)
                        : fmt::format("B{} T{} H{} K{}", s.batch, s.time, s.heads, s.head_width);
  };
  const auto timed_spec = [&](const char* group, Shape shape, bool backward) {
    std::vector<std::string> targets;
    if (shape.batch == 1) targets.push_back(backward ? "attention backward" : "attention forward");
    return KernelSpec{{group},
                      "attention",
                      backward ? "backward" : "forward",
                      name_of(shape),
                      targets,
                      0,
                      [=](const BenchContext& context) { return attention_work(context, shape, backward); }};
  };
  std::vector<KernelSpec> list;
  for (const bool backward : {false, true}) {
    list.push_back(timed_spec("attention", kShape, backward));
    list.push_back(timed_spec("attention64", kShort, backward));
    list.push_back(timed_spec("attention64", kRecipe, backward));
  }
  list.push_back({{"attention"},
                  "attention",
                  "extra memory",
                  name_of(kShape),
                  {"attention memory"},
                  0,
                  {},
                  [](const BenchContext& context) {
                    KernelResult result;
                    result.value = Attention(context.pool, context.kernels, kShape).extra_mib();
                    result.unit = "MiB";
                    return result;
                  }});
  return list;
}

}  // namespace smallmind
