// What the files of workloads share: operators as parts, texts by a model as parts, training steps as parts.
// Each workload is one file, workloads/NAME.cpp.
#pragma once

#include <memory>

#include "kernels/dispatch.h"
#include "model/model.h"
#include "nn/exec.h"
#include "profiler/operators.h"
#include "profiler/workload.h"

namespace smallmind {

void run_standard(WorkloadRun& run);
void run_deep(WorkloadRun& run);
void run_enhanced(WorkloadRun& run);
void run_tiny_window(WorkloadRun& run);
void run_simd(WorkloadRun& run);
void run_training(WorkloadRun& run);
void run_memory(WorkloadRun& run);
void run_allocation(WorkloadRun& run);

// ---- operators (operator_part.cpp)

// Calls of an operator, small ones in blocks that are timed as one. name: as PartSpec's. unit: "GFLOP/s",
// "GB/s" or "ms".
void row_part(WorkloadRun& run, const char* name, const char* unit, const RowOperator& op,
              double best_then = 0);

// GFLOP/s of C(s, s) = A B, operands plain.
void matmul_part(WorkloadRun& run, const char* name, Index s, double best_then = 0);

// ---- texts (text_part.cpp)

// Texts that a model writes: each from a prompt of random tokens, sampled.
struct TextSpec {
  // "NAME, KV cache" and "NAME, full recompute": literals, as PartSpec's. With the cache each token costs one
  // row, and beyond the context the last half of it is read again; without, the whole text (or its last
  // window) is read for each token. prompted: reading the prompt alone. Null: that one is left out.
  const char* prompted = nullptr;
  const char* cached = nullptr;
  const char* recomputed = nullptr;
  Index prompt = 10, tokens = 50, texts = 3;
  double best_then = 0;        // tokens/s
  double heap_bytes_then = 0;  // per token
  double first_token_ms_then = 0;
};
// The model needs memory for its values; while it runs, its weights are packed.
void text_parts(WorkloadRun& run, Model& model, const TextSpec& spec);

// A reference model with fresh weights.
std::unique_ptr<Model> reference_model(std::string_view preset, bool gradients, std::uint64_t seed);
// Uniform, by seed.
std::vector<std::int32_t> random_tokens(Index count, Index vocab, std::uint64_t seed);

// ---- training (training_part.cpp)

// Whole steps (forward, backward, clipping, AdamW) of `batch` windows of random tokens. The model needs
// gradients; its weights change.
void training_part(WorkloadRun& run, const char* name, Model& model, Index batch);

}  // namespace smallmind
