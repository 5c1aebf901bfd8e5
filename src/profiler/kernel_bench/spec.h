// What a row of the kernel benchmark is made of, and what its files share.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "nn/exec.h"
#include "profiler/arrays.h"
#include "profiler/kernel_bench.h"
#include "profiler/kernel_bench/rivals.h"
#include "profiler/kernel_bench/sampler.h"

namespace smallmind {

struct BenchContext {
  ThreadPool& pool;
  CoreWatch& cores;  // of the pool
  const KernelTable& kernels;
  const RivalLibraries& rivals;
  double seconds;
};

// One row for any number of threads. work: what is timed beside its roofs. Rows that measure otherwise have
// `run` instead, which fills value, unit and share.
struct KernelSpec {
  std::vector<std::string> groups;
  std::string kernel, form, shape;
  std::vector<std::string> targets;
  double best_then;
  std::function<KernelWork(const BenchContext&)> work;
  std::function<KernelResult(const BenchContext&)> run = {};
};

// One file each: the rows of some groups.
std::vector<KernelSpec> product_specs();
std::vector<KernelSpec> row_specs();
std::vector<KernelSpec> attention_specs();
std::vector<KernelSpec> loss_specs();
std::vector<KernelSpec> model_specs();
std::vector<KernelSpec> all_specs();

// Times the work and puts the figures into a result.
KernelResult timed(const BenchContext& context, const KernelWork& work);

// The roof of multiply-adds on all threads of the pool.
Roof fma_roof(const BenchContext& context);

}  // namespace smallmind
