// tiny-window: a long text by the tiny model, whose context of 32 tokens is full from the first token on.
#include "profiler/workloads/workloads.h"

namespace smallmind {

void run_tiny_window(WorkloadRun& run) {
  text_parts(run, *reference_model("tiny", false, run.options().seed),
             {.cached = "tiny, KV cache",
              .recomputed = "tiny, full recompute",
              .prompt = 32,
              .tokens = 256,
              .texts = 1,
              .best_then = 1221,
              .first_token_ms_then = 1.04});
}

}  // namespace smallmind
