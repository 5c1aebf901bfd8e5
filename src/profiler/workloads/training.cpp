// training: the optimiser, normalisation, and whole steps of two models.
#include "profiler/workloads/workloads.h"

namespace smallmind {

void run_training(WorkloadRun& run) {
  constexpr Index kParameters = 2'359'296;
  row_part(run, "adamw 2359296", "ms", adamw_operator(kParameters), 1.6);
  row_part(run, "layer_norm 8x64x512", "ms", layer_norm_operator(8 * 64, 512));
  row_part(run, "layer_norm 16x64x512", "ms", layer_norm_operator(16 * 64, 512));
  row_part(run, "layer_norm 32x64x512", "ms", layer_norm_operator(32 * 64, 512), 1.248);
  training_part(run, "small, training step of 32 x 64", *reference_model("small", true, run.options().seed),
                32);
  training_part(run, "medium, training step of 16 x 128",
                *reference_model("medium", true, run.options().seed), 16);
}

}  // namespace smallmind
