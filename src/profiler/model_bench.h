// How fast a model reads prompts, decodes and trains here, and what share of the machine's roofline that is.
//
// Tests carry llama.cpp's names: ppN reads a prompt of N tokens into an empty cache, tgN decodes N tokens
// from an empty cache, one forward pass each, without sampling; train_step is one optimiser step (forward,
// backward, clipping, AdamW). Modes: "kv_cache", and "full_recompute", which reads the whole text again for
// every token. Every figure is the median of repeats after a cold first pass that is reported apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "model/model.h"

namespace smallmind {

struct ModelBenchOptions {
  Index prompt_tokens = 512;  // of the pp test
  Index decode_tokens = 128;  // of the tg test; at most the context
  Index train_batch = 0;      // windows per training step; 0: no training test
  double seconds = 1.0;       // least time of the repeats of one test
  int least_repeats = 5;
  bool full_recompute = true;
  std::uint64_t (*heap_allocations)() noexcept = nullptr;  // allocations of the process so far, or null
};

struct BenchResult {
  std::string test;  // "pp64", "tg50", "train_step"
  std::string mode;  // "kv_cache" or "full_recompute"; "-" for training
  int threads = 1;
  double tokens_per_second = 0;       // median
  double spread = 0;                  // median absolute deviation over the median
  double cold_tokens_per_second = 0;  // the first pass
  double roofline_share = 0;  // least possible time (FLOPs or bytes, whichever binds) over measured time
  double heap_allocations_per_token = -1;  // -1: not counted
  int repeats = 0;
};

// Runs all tests with 1 and, if there are more, `threads` threads. The model needs memory for its values, and
// gradients for the training test, which changes its weights. Throws Error{usage} on lengths that the model
// does not have.
std::vector<BenchResult> run_model_bench(Model& model, int threads, const ModelBenchOptions& options);

// Its parts, with the threads of a pool: prompt and decode, or the training step of options.train_batch
// windows.
std::vector<BenchResult> bench_inference(Model& model, ThreadPool& pool, const ModelBenchOptions& options);
BenchResult bench_training(Model& model, ThreadPool& pool, const ModelBenchOptions& options);

// The tests that the reference figures use: small 64/50, medium 128/100, others 512/128 (or what the context
// holds), and the training batches of the reference workloads.
ModelBenchOptions reference_bench(const std::string& preset_name, const ModelConfig& config);

}  // namespace smallmind
