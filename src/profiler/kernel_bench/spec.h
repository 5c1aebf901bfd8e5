// What a row of the kernel benchmark is made of, and what its files share.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "nn/exec.h"
#include "profiler/kernel_bench.h"
#include "profiler/kernel_bench/rivals.h"
#include "profiler/kernel_bench/sampler.h"
#include "tensor/buffer.h"

namespace smallmind {

struct BenchContext {
  ThreadPool& pool;
  const KernelTable& kernels;
  const RivalLibraries& rivals;
  double seconds;
};

// One row for any number of threads. run() fills value, unit, share, rivals; the rest is copied from here.
struct KernelSpec {
  std::vector<std::string> groups;
  std::string kernel, form, shape;
  std::vector<std::string> targets;
  double best_then;
  std::function<KernelResult(const BenchContext&)> run;
};

// One file each: the rows of some groups.
std::vector<KernelSpec> product_specs();
std::vector<KernelSpec> row_specs();
std::vector<KernelSpec> attention_specs();
std::vector<KernelSpec> loss_specs();

// Times the work and puts the figures into a result.
KernelResult timed(const BenchContext& context, const KernelWork& work);

// The roof of multiply-adds on all threads of the pool.
Roof fma_roof(const BenchContext& context);

// Several arrays of floats in one block of huge pages, filled with values in [-0.5, 0.5). Arrays that lie a
// multiple of 4 KiB apart make loads wait for older stores to the same page offset; 19 lines keep them apart.
class Arrays {
 public:
  explicit Arrays(std::initializer_list<Index> floats);
  float* operator[](std::size_t i) const { return begins_[i]; }

 private:
  Buffer memory_;
  std::vector<float*> begins_;
};

}  // namespace smallmind
