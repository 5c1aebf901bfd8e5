// How fast every kernel is here, what share of the machine's limit that is, and how fast others are beside
// it.
//
// A row is one kernel, form, shape and thread count. Its roof is sampled in alternation with the work, on the
// same threads, memory and footprint: multiply-adds for products and attention, a plain stream of the same
// reads and writes for what memory binds, and the lesser of the two where both might. Shares and values come
// from medians. Rivals (OpenBLAS, oneDNN) run on the same operands in blocks of their own with pauses
// between, because the spinning threads of one library steal the other's cores. What other programs took of
// the CPUs is read from /proc/stat: a row disturbed by more than 3 % is measured again. FLOPs and bytes are
// nn/op.h's.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace smallmind {

struct KernelBenchOptions {
  std::vector<std::string> groups;  // of kernel_bench_groups(); empty: all
  int threads = 1;                  // measured with 1 and, if there are more, this many
  double seconds = 0.3;             // least time of a row's own samples; a rival gets half as much
  bool rivals = true;
};

struct KernelResult {
  std::string kernel, form, shape;  // "product", "dW", "512x128x2048" (M x N x K)
  int threads = 1;
  double value = 0;           // median rate in `unit`
  std::string unit;           // "GFLOP/s", "GB/s", "tokens/s", "MiB"
  std::string roof;           // the roof that binds: "fma", "read", "copy", ...; empty where none is defined
  double roofline_share = 0;  // 0 where there is no roof
  double spread = 0;          // median absolute deviation over the median
  std::vector<std::pair<std::string, double>> rivals;  // in `unit`
  double best_then = 0;              // what the earlier program reached, in `unit`; 0: nothing
  std::vector<std::string> targets;  // of kernel_bench/targets.h, by name
  bool disturbed = false;            // other programs took our cores in every attempt
  double alone = 1;                  // part of the samples that had their cores alone; at 0 all count
};

// A row, or a mean over rows, held against a stated target.
struct Verdict {
  bool stated = false;  // is there a target at all
  bool passed = true;
  std::string text;  // "pass", or "miss: share 0.81 < 0.88"
};
Verdict judge(const KernelResult& result);

struct KernelBenchReport {
  std::vector<KernelResult> results;
  std::vector<std::pair<std::string, Verdict>> together;    // targets of several rows: means, bests
  std::vector<std::pair<std::string, std::string>> rivals;  // name, version or "skipped: why"
  double foreign_share = 0;  // CPU time of others over all CPUs while we measured
};

struct KernelGroup {
  const char* name;
  const char* what;
};
const std::vector<KernelGroup>& kernel_bench_groups();

// Measures the chosen groups row by row and reports each row to `on_result`. Throws Error{usage} for an
// unknown group. One caller at a time: it owns the machine's cores meanwhile.
KernelBenchReport run_kernel_bench(const KernelBenchOptions& options,
                                   const std::function<void(const KernelResult&)>& on_result);

// Throws Error{internal} naming the rows whose share is above 1.02: nothing is faster than its limit, so
// there the roof is wrong. Disturbed rows and those of shared cores are no measurement and prove nothing.
void check_roofs(const std::vector<KernelResult>& results);

}  // namespace smallmind
