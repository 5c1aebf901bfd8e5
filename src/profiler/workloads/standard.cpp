// standard: texts by the small model.
#include "profiler/workloads/workloads.h"

namespace smallmind {

void run_standard(WorkloadRun& run) {
  text_parts(run, *reference_model("small", false, run.options().seed),
             {.cached = "small, KV cache",
              .recomputed = "small, full recompute",
              .prompt = 10,
              .tokens = 50,
              .texts = 3,
              .best_then = 98.3,
              .heap_bytes_then = 0.57e6});
}

}  // namespace smallmind
