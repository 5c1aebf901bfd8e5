// memory: what the arena pool saves, ops in place and not, and the two classic small jobs of training: one
// product forward and backward, and a step of a multi-layer perceptron.
#include <algorithm>
#include <cstring>
#include <memory>

#include "profiler/operators.h"
#include "profiler/workloads/workloads.h"
#include "tensor/arena.h"

namespace smallmind {
namespace {

// Sizes of a layer's activations: 256 bytes to 64 KiB.
constexpr std::size_t kBlocks = 64;
constexpr std::size_t block_bytes(std::size_t i) {
  return std::size_t{256} << (i % 9);
}

void pool_parts(WorkloadRun& run) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < kBlocks; ++i) total += block_bytes(i);
  Arena arena(total);
  PartSpec spec{.name = "pool, arena",
                .unit = "ns",
                .amount = kBlocks,
                .calls = 100,
                .item = "allocation",
                .items = kBlocks};
  spec.pass = [&](int calls) {
    const Zone zone("arena_blocks");
    for (int c = 0; c < calls; ++c) {
      for (std::size_t i = 0; i < kBlocks; ++i)
        *static_cast<volatile char*>(arena.allocate(block_bytes(i))) = 1;
      arena.rewind(0);
    }
  };
  run.part(spec);

  std::unique_ptr<char[]> blocks[kBlocks];
  spec.name = "pool, heap for comparison";
  spec.pass = [&](int calls) {
    const Zone zone("heap_blocks");
    for (int c = 0; c < calls; ++c) {
      for (std::size_t i = 0; i < kBlocks; ++i) {
        blocks[i] = std::make_unique_for_overwrite<char[]>(block_bytes(i));
        *static_cast<volatile char*>(blocks[i].get()) = 1;
      }
      for (auto& block : blocks) block.reset();
    }
  };
  run.part(spec);
}

// The residual addition as inference does it (in place) and as training does (into a fresh activation).
void in_place_parts(WorkloadRun& run) {
  constexpr Index kRows = 512, kCols = 512;
  const Arrays arrays{kRows * kCols, kRows * kCols};
  const Tensor a{arrays[0], kRows, kCols, kCols}, b{arrays[1], kRows, kCols, kCols};
  for (const bool recording : {false, true}) {
    const auto work = [&](Exec& ex) {
      const Step step(ex);
      add(ex, a, b);
    };
    Exec dry = Exec::measuring(run.pool(), kernels(), recording);
    work(dry);
    Exec ex(run.pool(), kernels(), recording, dry.memory());
    PartSpec spec{.name = recording ? "add 512x512, fresh result" : "add 512x512, in place",
                  .unit = "GB/s",
                  .amount = 1e-9 * static_cast<double>(add_cost(kRows * kCols).bytes)};
    spec.pass = [&](int) { work(ex); };
    run.part(spec);
  }
}

// A linear layer with gradients and moments.
struct Layer {
  Layer(Index outputs, Index inputs)
      : values{outputs * inputs, outputs},
        rest(3 * static_cast<std::size_t>(outputs * inputs + outputs)),
        weight{.name = "weight", .rows = outputs, .cols = inputs, .data = values[0], .grad = rest.data()},
        bias{.name = "bias",
             .rows = 1,
             .cols = outputs,
             .data = values[1],
             .grad = rest.data() + outputs * inputs} {}

  std::size_t size() const { return rest.size() / 3; }
  void zero_gradients() { std::fill_n(rest.begin(), size(), 0.0f); }
  void update() {
    const Zone zone("adamw", {.phase = Phase::optimizer,
                              .flops = static_cast<double>(adamw_cost(static_cast<Index>(size())).flops),
                              .bytes = static_cast<double>(adamw_cost(static_cast<Index>(size())).bytes)});
    float* moments = rest.data() + size();
    for (const Param* p : {&weight, &bias}) {
      kernels().adamw(kBenchAdamW, p->grad, p->size(), p->data, moments, moments + p->size());
      moments += 2 * p->size();
    }
  }

  Arrays values;
  std::vector<float> rest;  // gradients, then both moments of the weight and of the bias
  Param weight, bias;
};

// Inputs as an activation, so that they get a gradient, too.
Tensor input(Exec& ex, const float* data, Index rows, Index cols) {
  const Tensor x = ex.make(rows, cols);
  if (!ex.measuring()) std::memcpy(x.data, data, static_cast<std::size_t>(x.size()) * sizeof(float));
  return x;
}

void matmul_part(WorkloadRun& run) {
  constexpr Index kM = 128, kK = 256, kN = 128;
  const Layer layer(kN, kK);
  const Arrays arrays{kM * kK, kM * kN};
  const auto work = [&](Exec& ex) {
    const Step step(ex);
    ex.set_phase(Phase::forward);
    const Tensor y = linear(ex, input(ex, arrays[0], kM, kK), layer.weight, layer.bias);
    ex.backward(y, arrays[1]);
  };
  Exec dry = Exec::measuring(run.pool(), kernels(), true);
  work(dry);
  Exec ex(run.pool(), kernels(), true, dry.memory());
  PartSpec spec{.name = "matmul 128x256x128, forward and backward", .unit = "ms"};
  spec.best_then = 3.043;
  spec.pass = [&](int) { work(ex); };
  run.part(spec);
}

// 32 rows of 256 inputs, 256 hidden units, 32 classes: forward, backward and AdamW.
void perceptron_part(WorkloadRun& run) {
  constexpr Index kRows = 32, kInputs = 256, kHidden = 256, kClasses = 32;
  Layer hidden(kHidden, kInputs), output(kClasses, kHidden);
  const Arrays inputs{kRows * kInputs};
  const std::vector<std::int32_t> targets = random_tokens(kRows, kClasses, run.options().seed);
  const auto forward_and_backward = [&](Exec& ex) {
    const Step step(ex);
    ex.set_phase(Phase::forward);
    const Tensor h = gelu(ex, linear(ex, input(ex, inputs[0], kRows, kInputs), hidden.weight, hidden.bias),
                          GeluForm::tanh);
    const float one = 1.0f;
    ex.backward(cross_entropy(ex, linear(ex, h, output.weight, output.bias), targets), &one);
  };
  Exec dry = Exec::measuring(run.pool(), kernels(), true);
  forward_and_backward(dry);
  Exec ex(run.pool(), kernels(), true, dry.memory());
  PartSpec spec{.name = "toy MLP 32x256-256-32, training step", .unit = "ms", .item = "step"};
  spec.best_then = 0.256;
  spec.pass = [&](int) {
    for (Layer* layer : {&hidden, &output}) layer->zero_gradients();
    forward_and_backward(ex);
    for (Layer* layer : {&hidden, &output}) layer->update();
  };
  run.part(spec);
}

}  // namespace

void run_memory(WorkloadRun& run) {
  pool_parts(run);
  in_place_parts(run);
  row_part(run, "layer_norm 32x512", "ms", layer_norm_operator(32, 512), 0.105);
  matmul_part(run);
  perceptron_part(run);
}

}  // namespace smallmind
