// Row and elementwise kernels and the optimiser, out of place with ordinary stores, cut into ranges over the
// pool as the ops of nn/ do. The roof is a stream of the same reads and writes over the same arrays.
#include <fmt/format.h>

#include "profiler/kernel_bench/spec.h"
#include "profiler/operators.h"

namespace smallmind {
namespace {

// An operator beside the stream that is its roof.
struct RowWork {
  RowOperator op;
  const char* roof;
  RangeKernel stream;
};

KernelWork row_work(const BenchContext& context, const RowWork& row) {
  const auto exec = std::make_shared<Exec>(context.pool, context.kernels, false, ExecMemory{});
  RowOperator stream = row.op;
  stream.kernel = row.stream;
  KernelWork work;
  work.cost = row.op.cost;
  work.in_flops = false;
  work.run = [exec, op = row.op] { op.call(*exec); };
  work.roofs.push_back(
      {row.roof, false, static_cast<double>(row.op.cost.bytes), [exec, stream] { stream.call(*exec); }});
  return work;
}

// The operator's first array read and its last one written; `width` elements per unit of a range.
RowWork beside_copy(const RowOperator& op, Index width, std::size_t last) {
  return {op, "1r 1w", [a = op.arrays, width, last](const KernelTable& t, Index begin, Index end) {
            t.stream_copy((*a)[0] + begin * width, (end - begin) * width, (*a)[last] + begin * width);
          }};
}

RowWork add_work(Index n) {
  RowOperator op = add_operator(n);
  return {op, "2r 1w", [a = op.arrays](const KernelTable& t, Index begin, Index end) {
            t.stream_add((*a)[0] + begin, (*a)[1] + begin, end - begin, (*a)[2] + begin);
          }};
}

RowWork dot_work(Index n) {
  RowOperator op = dot_operator(n);
  return {op, "2r", [a = op.arrays](const KernelTable& t, Index begin, Index end) {
            volatile float sink = t.stream_read2((*a)[0] + begin, (*a)[1] + begin, end - begin);
            static_cast<void>(sink);
          }};
}

RowWork adamw_work(Index n) {
  RowOperator op = adamw_operator(n);
  return {op, "4r 3w", [a = op.arrays](const KernelTable& t, Index begin, Index end) {
            t.stream_update3((*a)[0] + begin, end - begin, (*a)[1] + begin, (*a)[2] + begin, (*a)[3] + begin);
          }};
}

constexpr Index kMillion = 1'000'000;

template <class Make>
void add_row(std::vector<KernelSpec>& list, const char* workload, const char* kernel, std::string shape,
             const char* target, double best_then, Make make) {
  std::vector<std::string> groups = {"rows"};
  if (*workload != '\0') groups.emplace_back(workload);
  std::vector<std::string> targets;
  if (*target != '\0') targets.emplace_back(target);
  list.push_back({std::move(groups), kernel, "forward", std::move(shape), std::move(targets), best_then,
                  [make](const BenchContext& context) { return row_work(context, make()); }});
}

}  // namespace

// The earlier program's best, as GB/s: softmax 1000x1000 took 5.47 ms, LayerNorm 32x512 0.105 ms and
// 32x64x512 1.248 ms, AdamW 1.6 ms; its dot made 11.5 GFLOP/s, 4 bytes a FLOP.
std::vector<KernelSpec> row_specs() {
  std::vector<KernelSpec> list;
  add_row(list, "simd", "softmax", "1000x1000", "softmax", 8e-3 / 5.47e-3,
          [] { return beside_copy(softmax_operator(1000, 1000), 1000, 1); });
  add_row(list, "simd", "gelu_tanh", "1000000", "gelu", 1.28,
          [] { return beside_copy(gelu_tanh_operator(kMillion), 1, 1); });
  add_row(list, "simd", "gelu_erf", "1000000", "gelu", 1.28,
          [] { return beside_copy(gelu_erf_operator(kMillion), 1, 1); });
  add_row(list, "simd", "add", "10000000", "streams", 38.3, [] { return add_work(10 * kMillion); });
  add_row(list, "simd", "relu", "10000000", "streams", 38.0,
          [] { return beside_copy(relu_operator(10 * kMillion), 1, 1); });
  add_row(list, "simd", "dot", "10000000", "streams", 46.0, [] { return dot_work(10 * kMillion); });
  add_row(list, "training", "adamw", "2359296", "adamw", 28 * 2.359296e-3 / 1.6e-3,
          [] { return adamw_work(2'359'296); });
  add_row(list, "", "layer_norm", "32x512", "layer_norm", 8e-9 * 32 * 512 / 0.105e-3,
          [] { return beside_copy(layer_norm_operator(32, 512), 512, 3); });
  for (const Index batch : {8, 16, 32})
    add_row(list, "training", "layer_norm", fmt::format("{}x64x512", batch), "",
            batch == 32 ? 8e-9 * 32 * 64 * 512 / 1.248e-3 : 0,
            [=] { return beside_copy(layer_norm_operator(batch * 64, 512), 512, 3); });
  return list;
}

}  // namespace smallmind
