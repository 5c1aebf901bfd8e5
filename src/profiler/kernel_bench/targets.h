// What the kernels are to reach, in one table; see targets.cpp.
#pragma once

#include <span>

#include "profiler/kernel_bench.h"

namespace smallmind {

enum class Quantity {
  share,       // of the roof
  value,       // the rate itself
  per_thread,  // the rate over the number of threads
  versus,      // the rate over a rival's
  at_most,     // the value, as an upper bound
};

// What a bound holds for: each row, the geometric mean of all rows of its name, or the best of them.
enum class Over { each, mean, best };

struct Target {
  const char* name;  // what a row refers to; several lines may share it
  Quantity quantity;
  int threads;  // 1: one thread; 2: more than one; 0: any
  double bound;
  const char* rival = "";
  Over over = Over::each;
};

std::span<const Target> kernel_targets();

bool applies(const Target& target, const KernelResult& result);
// The quantity of a row; 0 where it has none (the rival is absent).
double quantity_of(const Target& target, const KernelResult& result);
// The targets of several rows together, by those that are there.
std::vector<std::pair<std::string, Verdict>> judge_together(const std::vector<KernelResult>& results);

}  // namespace smallmind
