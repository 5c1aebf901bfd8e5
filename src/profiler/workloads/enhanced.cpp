// enhanced: operators by size, and short texts by two models.
#include "profiler/workloads/workloads.h"

namespace smallmind {

void run_enhanced(WorkloadRun& run) {
  matmul_part(run, "matmul 64", 64);
  matmul_part(run, "matmul 128", 128);
  matmul_part(run, "matmul 256", 256);
  matmul_part(run, "matmul 512", 512, 51.8);
  row_part(run, "gelu 1K", "GB/s", gelu_tanh_operator(1'000));
  row_part(run, "gelu 10K", "GB/s", gelu_tanh_operator(10'000));
  row_part(run, "gelu 100K", "GB/s", gelu_tanh_operator(100'000));
  row_part(run, "gelu 1M", "GB/s", gelu_tanh_operator(1'000'000), 1.28);
  row_part(run, "softmax 256x256", "ms", softmax_operator(256, 256));
  row_part(run, "softmax 512x512", "ms", softmax_operator(512, 512));
  row_part(run, "softmax 1024x1024", "ms", softmax_operator(1024, 1024), 3.48);
  row_part(run, "softmax 2048x2048", "ms", softmax_operator(2048, 2048));
  row_part(run, "add 1M", "GB/s", add_operator(1'000'000));
  row_part(run, "mul 1M", "GB/s", mul_operator(1'000'000));
  row_part(run, "broadcast 1000x1000", "GB/s", broadcast_operator(1000, 1000));
  text_parts(run, *reference_model("small", false, run.options().seed),
             {.cached = "small, KV cache",
              .recomputed = "small, full recompute",
              .prompt = 10,
              .tokens = 25,
              .texts = 1,
              .best_then = 193.7,
              .heap_bytes_then = 0.57e6});
  text_parts(run, *reference_model("medium", false, run.options().seed),
             {.cached = "medium, KV cache",
              .recomputed = "medium, full recompute",
              .prompt = 10,
              .tokens = 25,
              .texts = 1,
              .best_then = 74.2,
              .heap_bytes_then = 2.12e6});
}

}  // namespace smallmind
