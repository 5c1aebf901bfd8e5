// simd: the vector kernels on the sizes of the reference figures.
#include "profiler/workloads/workloads.h"

namespace smallmind {

void run_simd(WorkloadRun& run) {
  constexpr Index kMillion = 1'000'000;
  row_part(run, "add 10M", "GB/s", add_operator(10 * kMillion), 38.3);
  row_part(run, "relu 10M", "GB/s", relu_operator(10 * kMillion), 38.0);
  row_part(run, "gelu_tanh 1M", "GB/s", gelu_tanh_operator(kMillion), 1.28);
  row_part(run, "gelu_erf 1M", "GB/s", gelu_erf_operator(kMillion), 1.28);
  row_part(run, "softmax 1000x1000", "ms", softmax_operator(1000, 1000), 5.47);
  row_part(run, "softmax 1024x1024", "ms", softmax_operator(1024, 1024), 3.48);
  matmul_part(run, "matmul 512", 512, 51.8);
  row_part(run, "dot 10M", "GFLOP/s", dot_operator(10 * kMillion), 11.5);
}

}  // namespace smallmind
