// Single operators as parts of workloads.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "nn/matmul.h"
#include "profiler/workloads/workloads.h"

namespace smallmind {
namespace {

// Calls per block such that it lasts some 20 us at 100 GFLOP/s or 20 GB/s: the clock and the zone around it,
// some 0.1 us, then hardly count. A pure function of the shape, so that runs compare.
int calls_per_block(const OpCost& cost) {
  const double seconds =
      std::max(static_cast<double>(cost.flops) / 100e9, static_cast<double>(cost.bytes) / 20e9);
  return static_cast<int>(std::clamp(std::ceil(20e-6 / seconds), 1.0, 1000.0));
}

double amount(std::string_view unit, const OpCost& cost) {
  if (unit == "GFLOP/s") return 1e-9 * static_cast<double>(cost.flops);
  if (unit == "GB/s") return 1e-9 * static_cast<double>(cost.bytes);
  return 1;
}

template <class Call>
void operator_part(WorkloadRun& run, const char* name, const char* unit, const char* zone_name, OpCost cost,
                   double best_then, Call call) {
  PartSpec spec{.name = name, .unit = unit, .amount = amount(unit, cost), .calls = calls_per_block(cost)};
  spec.best_then = best_then;
  spec.pass = [&](int calls) {
    const Zone zone(zone_name, {.flops = static_cast<double>(cost.flops) * calls,
                                .bytes = static_cast<double>(cost.bytes) * calls,
                                .shape = cost.shape,
                                .kind = ZoneKind::op});
    for (int i = 0; i < calls; ++i) call();
  };
  run.part(spec);
}

}  // namespace

void row_part(WorkloadRun& run, const char* name, const char* unit, const RowOperator& op, double best_then) {
  Exec ex(run.pool(), kernels(), false, ExecMemory{});
  operator_part(run, name, unit, op.name, op.cost, best_then, [&] { op.call(ex); });
}

void matmul_part(WorkloadRun& run, const char* name, Index s, double best_then) {
  const Arrays arrays{s * s, s * s, s * s};
  const Product product{
      .m = s, .n = s, .k = s, .a = arrays[0], .a_row_stride = s, .c = arrays[2], .c_stride = s};
  const Arrays scratch{std::max<Index>(1, matmul_scratch_floats(run.pool(), kernels(), product, 1))};
  operator_part(run, name, "GFLOP/s", "matmul", product_cost(s, s, s), best_then,
                [&] { matmul(run.pool(), kernels(), product, arrays[1], s, 1, scratch[0]); });
}

}  // namespace smallmind
