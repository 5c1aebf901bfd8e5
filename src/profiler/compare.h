// What changed between two programs, or two settings: operation by operation, judged by the runs' own spread.
//
// Each side is one or more runs (recordings of separate processes). With the same number of runs, two or
// more, on both sides they are taken as blocks that alternated in time, A B A B ...: run i of B is held
// against run i of A, so that a drift of the machine cancels. Otherwise the sides are held against each other
// as wholes, and the difference between processes (memory layout, pages, neighbours), which a single run
// cannot show, is estimated from how much the operations scatter among themselves.
//
// In logarithms of times: change = (after - before) - shift, where shift is the median over the operations:
// what all have in common is the machine's doing (its clock, a neighbour), or of something that touches
// everything, and is reported apart. An operation has changed where Student's test says so; its variance is
// moderated by that of the others (Smyth 2004: a few blocks say little about one variance), and Holm's
// correction keeps the chance of any false report under 0.5 % with blocks, else under 2 %. Operations below
// half a percent of the time on both sides are not judged. Counts (calls, allocations, bytes) have no noise:
// each difference is reported.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "profiler/run_samples.h"

namespace smallmind {

struct OpChange {
  enum class Verdict { faster, slower, unchanged, too_small, appeared, vanished };

  OpKey key;
  Verdict verdict = Verdict::unchanged;
  OpSamples before, after;  // seconds holds one median per run; empty where the operation is absent
  double seconds_before = 0, seconds_after = 0;  // per pass
  double change = 0;                             // relative, the common shift taken out: 0.1 is 10 % slower
  double p_value = 1;                            // adjusted for the number of operations
  double share = 0;                              // of the time of the side where it is larger
  std::string cause;                             // what the counts and rates say; empty for no difference
  double cost() const noexcept { return seconds_after - seconds_before; }
};

struct Comparison {
  std::vector<OpChange> ops;                 // by the size of the change in seconds, significant ones first
  double total_before = 0, total_after = 0;  // seconds of all operations and threads per pass of each kind
  double shift = 0;                          // relative: common to all operations
  double detectable = 0;  // relative change that the typical operation must show to be reported
  int runs_before = 0, runs_after = 0;
  bool paired = false;
  std::vector<std::string> environment;  // "isa: avx512 -> avx2"
};

// Throws Error{bad_input} where a side has no operations or nothing is in common.
Comparison compare_runs(std::span<const RunSamples> before, std::span<const RunSamples> after);

// The largest relative slow-down that is significant: of an operation, 0 if there is none.
double worst_slow_down(const Comparison& comparison) noexcept;

}  // namespace smallmind
