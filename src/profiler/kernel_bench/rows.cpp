// Row and elementwise kernels and the optimiser, out of place with ordinary stores, cut into ranges over the
// pool as the ops of nn/ do. The roof is a stream of the same reads and writes over the same arrays.
#include <fmt/format.h>

#include <array>

#include "nn/ops/common.h"
#include "profiler/kernel_bench/spec.h"

namespace smallmind {
namespace {

constexpr AdamWArgs kAdamW{.learning_rate = 1e-4f,
                           .beta1 = 0.9f,
                           .beta2 = 0.99f,
                           .epsilon = 1e-8f,
                           .weight_decay = 0.1f,
                           .gradient_scale = 1.0f,
                           .bias_correction1 = 0.1f,
                           .bias_correction2 = 0.01f};

// A kernel over ranges [begin, end) of rows or elements, as Exec::parallel cuts them.
using Range = std::function<void(const KernelTable&, Index begin, Index end)>;

struct RowWork {
  std::shared_ptr<Arrays> arrays;
  OpCost cost;
  Index count, grain;  // of rows or elements
  Range kernel;
  const char* roof;
  Range stream;
};

KernelResult run_rows(const BenchContext& context, const RowWork& row) {
  const auto exec = std::make_shared<Exec>(context.pool, context.kernels, false, ExecMemory{});
  const auto over = [&](const Range& range) {
    return [exec, row, range] {
      exec->parallel(row.count, row.grain,
                     [&](Index begin, Index end) { range(exec->kernels(), begin, end); });
    };
  };
  KernelWork work;
  work.cost = row.cost;
  work.in_flops = false;
  work.run = over(row.kernel);
  work.roofs.push_back({row.roof, false, static_cast<double>(row.cost.bytes), over(row.stream)});
  return timed(context, work);
}

// Streams over arrays of `arrays`: [0] read, the last one written; `width` elements per unit of a range.
Range copy_stream(const std::shared_ptr<Arrays>& arrays, Index width) {
  return [arrays, width](const KernelTable& t, Index begin, Index end) {
    t.stream_copy((*arrays)[0] + begin * width, (end - begin) * width, (*arrays)[1] + begin * width);
  };
}

RowWork unary(Index n, OpCost cost, void (*KernelTable::*kernel)(const float*, Index, float*) noexcept) {
  const auto a = std::make_shared<Arrays>(std::initializer_list<Index>{n, n});
  return {a,
          cost,
          n,
          kElementGrain,
          [a, kernel](const KernelTable& t, Index begin, Index end) {
            (t.*kernel)((*a)[0] + begin, end - begin, (*a)[1] + begin);
          },
          "copy",
          copy_stream(a, 1)};
}

RowWork add_work(Index n) {
  const auto a = std::make_shared<Arrays>(std::initializer_list<Index>{n, n, n});
  const auto with = [a](void (*KernelTable::*kernel)(const float*, const float*, Index, float*) noexcept) {
    return [a, kernel](const KernelTable& t, Index begin, Index end) {
      (t.*kernel)((*a)[0] + begin, (*a)[1] + begin, end - begin, (*a)[2] + begin);
    };
  };
  return {a, add_cost(n), n, kElementGrain, with(&KernelTable::add), "add", with(&KernelTable::stream_add)};
}

RowWork dot_work(Index n) {
  const auto a = std::make_shared<Arrays>(std::initializer_list<Index>{n, n});
  const auto with = [a](float (*KernelTable::*kernel)(const float*, const float*, Index) noexcept) {
    return [a, kernel](const KernelTable& t, Index begin, Index end) {
      volatile float sink = (t.*kernel)((*a)[0] + begin, (*a)[1] + begin, end - begin);
      static_cast<void>(sink);
    };
  };
  return {
      a, dot_cost(n), n, kElementGrain, with(&KernelTable::dot), "2 reads", with(&KernelTable::stream_read2)};
}

RowWork softmax_work(Index rows, Index cols) {
  const auto a = std::make_shared<Arrays>(std::initializer_list<Index>{rows * cols, rows * cols});
  return {a,
          softmax_cost(rows * cols),
          rows,
          row_grain(cols),
          [a, cols](const KernelTable& t, Index begin, Index end) {
            t.softmax((*a)[0] + begin * cols, cols, end - begin, cols, (*a)[1] + begin * cols, cols);
          },
          "copy",
          copy_stream(a, cols)};
}

RowWork layer_norm_work(Index rows, Index cols) {
  const auto a = std::make_shared<Arrays>(std::initializer_list<Index>{rows * cols, rows * cols, cols, cols});
  return {a,
          layer_norm_cost(rows * cols),
          rows,
          row_grain(cols),
          [a, cols](const KernelTable& t, Index begin, Index end) {
            t.layer_norm((*a)[0] + begin * cols, cols, (*a)[2], (*a)[3], 1e-5f, end - begin, cols,
                         (*a)[1] + begin * cols, cols, nullptr, nullptr);
          },
          "copy",
          copy_stream(a, cols)};
}

RowWork adamw_work(Index n) {
  const auto a = std::make_shared<Arrays>(std::initializer_list<Index>{n, n, n, n});
  for (Index i = 0; i < n; ++i) (*a)[3][i] = (*a)[3][i] * (*a)[3][i];  // second moments are not negative
  return {a,
          adamw_cost(n),
          n,
          kElementGrain,
          [a](const KernelTable& t, Index begin, Index end) {
            t.adamw(kAdamW, (*a)[0] + begin, end - begin, (*a)[1] + begin, (*a)[2] + begin, (*a)[3] + begin);
          },
          "4 reads, 3 writes",
          [a](const KernelTable& t, Index begin, Index end) {
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
                  [make](const BenchContext& context) { return run_rows(context, make()); }});
}

}  // namespace

// The earlier program's best, as GB/s: softmax 1000x1000 took 5.47 ms, LayerNorm 32x512 0.105 ms and
// 32x64x512 1.248 ms, AdamW 1.6 ms; its dot made 11.5 GFLOP/s, 4 bytes a FLOP.
std::vector<KernelSpec> row_specs() {
  std::vector<KernelSpec> list;
  add_row(list, "simd", "softmax", "1000x1000", "softmax", 8e-3 / 5.47e-3,
          [] { return softmax_work(1000, 1000); });
  add_row(list, "simd", "gelu_tanh", "1000000", "gelu", 1.28,
          [] { return unary(kMillion, gelu_cost(kMillion), &KernelTable::gelu_tanh); });
  add_row(list, "simd", "gelu_erf", "1000000", "gelu", 1.28,
          [] { return unary(kMillion, gelu_cost(kMillion), &KernelTable::gelu_erf); });
  add_row(list, "simd", "add", "10000000", "streams", 38.3, [] { return add_work(10 * kMillion); });
  add_row(list, "simd", "relu", "10000000", "streams", 38.0,
          [] { return unary(10 * kMillion, relu_cost(10 * kMillion), &KernelTable::relu); });
  add_row(list, "simd", "dot", "10000000", "streams", 46.0, [] { return dot_work(10 * kMillion); });
  add_row(list, "training", "adamw", "2359296", "adamw", 28 * 2.359296e-3 / 1.6e-3,
          [] { return adamw_work(2'359'296); });
  add_row(list, "", "layer_norm", "32x512", "layer_norm", 8e-9 * 32 * 512 / 0.105e-3,
          [] { return layer_norm_work(32, 512); });
  for (const Index batch : {8, 16, 32})
    add_row(list, "training", "layer_norm", fmt::format("{}x64x512", batch), "",
            batch == 32 ? 8e-9 * 32 * 64 * 512 / 1.248e-3 : 0,
            [=] { return layer_norm_work(batch * 64, 512); });
  return list;
}

}  // namespace smallmind
