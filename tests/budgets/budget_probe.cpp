// budget_probe WORKLOAD PRESET COUNT: does a fixed amount of work on one thread and prints what it cost, in
// counts that do not depend on the machine's load. WORKLOAD is "decode" (COUNT tokens after a first one, each
// with its logits) or "train" (COUNT steps after a first one). COUNT 0 does the first one only, so that the
// difference of two runs under an instruction counter is the cost of the tokens or steps alone.
//
// Output, one line of JSON: heap allocations during the COUNT tokens or steps; bytes of arenas and KV cache;
// FLOPs and bytes that the operations declare for one token (at the last position) or one step.
#include <fmt/core.h>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "infer/packed_weights.h"
#include "infer/session.h"
#include "model/presets.h"
#include "tests/support/alloc_guard.h"
#include "train/step.h"

namespace smallmind {
namespace {

struct Cost {
  std::uint64_t heap_allocations = 0;
  std::size_t arena_bytes = 0;
  OpCost work;
};

// FLOPs and bytes of one forward pass of one token at `position`, with its logits.
OpCost token_cost(const Model& model, ThreadPool& pool, Index position) {
  Exec ex = Exec::measuring(pool, kernels(), false);
  const Step step(ex);
  const std::int32_t token = 1;
  const Segment segment{0, 1, position, 0};
  model.forward(ex, {{&token, 1}, {&segment, 1}}, nullptr);
  model.logits(ex, ex.make(1, model.config().width));
  return ex.cost();
}

Cost decode(std::string_view name, Index count) {
  const std::unique_ptr<Model> model = make_model(preset(name));
  model->allocate(false);
  model->initialise(1);
  ThreadPool pool(1);
  const PackedWeights packed(*model, pool);
  Session session(*model, pool, {.batch_rows = 1});
  session.decode(0);
  const AllocGuard guard;
  for (Index i = 0; i < count; ++i) session.decode(static_cast<std::int32_t>(i % model->config().vocab));
  return {guard.count(), session.bytes(), token_cost(*model, pool, count)};
}

Cost train(std::string_view name, Index count) {
  constexpr Index kBatch = 2;
  const std::unique_ptr<Model> model = make_model(preset(name));
  model->allocate(true);
  model->initialise(1);
  ThreadPool pool(1);
  TrainSettings settings;
  settings.batch = kBatch;
  const PassNeeds needs = measure_pass(*model, pool, kBatch, true);
  TrainingStep step(*model, settings, pool, needs);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(kBatch * model->config().context));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(model->config().vocab));
  const auto run = [&] {
    step.gradients(tokens, tokens);
    step.update(1e-4);
  };
  run();
  const AllocGuard guard;
  for (Index i = 0; i < count; ++i) run();
  return {guard.count(), needs.memory.total(), needs.cost};
}

}  // namespace
}  // namespace smallmind

int main(int argc, char** argv) {
  using namespace smallmind;
  if (argc != 4) {
    fmt::print(stderr, "usage: budget_probe decode|train PRESET COUNT\n");
    return 1;
  }
  try {
    const bool decoding = std::string_view(argv[1]) == "decode";
    const Index count = std::atoi(argv[3]);
    const Cost cost = decoding ? decode(argv[2], count) : train(argv[2], count);
    fmt::print("{{\"heap_allocations\": {}, \"arena_bytes\": {}, \"flops\": {}, \"bytes\": {}}}\n",
               cost.heap_allocations, cost.arena_bytes, cost.work.flops, cost.work.bytes);
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "budget_probe: {}\n", e.what());
    return static_cast<int>(e.code());
  }
}
