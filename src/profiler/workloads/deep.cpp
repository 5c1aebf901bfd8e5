// deep: square products, and texts by the medium model.
#include "profiler/workloads/workloads.h"

namespace smallmind {

void run_deep(WorkloadRun& run) {
  matmul_part(run, "matmul 128", 128);
  matmul_part(run, "matmul 256", 256);
  matmul_part(run, "matmul 512", 512, 51.8);
  text_parts(run, *reference_model("medium", false, run.options().seed),
             {.cached = "medium, KV cache",
              .recomputed = "medium, full recompute",
              .prompt = 32,
              .tokens = 50,
              .texts = 3,
              .best_then = 24.9,
              .heap_bytes_then = 2.12e6});
}

}  // namespace smallmind
