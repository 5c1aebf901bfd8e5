// The clockwork of the kernel benchmark: samples of work, roofs and rivals in turns; see sampler.cpp.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "nn/op.h"
#include "profiler/kernel_bench/core_watch.h"

namespace smallmind {

// A limit to hold the work against. `amount` is what one run() does, in FLOPs or bytes.
struct Roof {
  const char* name;
  bool flops;
  double amount;
  std::function<void()> run;
};

struct RivalRun {
  std::string name;
  std::function<void()> select;  // sets its number of threads
  std::function<void()> run;
};

struct KernelWork {
  OpCost cost;                    // of one run()
  bool in_flops = true;           // the value is FLOP/s; else bytes/s
  std::function<void()> prepare;  // before each run(), not timed; may be empty
  std::function<void()> run;
  std::vector<Roof> roofs;  // the slowest binds
  std::vector<RivalRun> rivals;
};

struct Measurement {
  double seconds = 0;  // per run(), median
  double spread = 0;   // median absolute deviation over the median
  double share =
      0;  // median over turns of the least possible seconds by the roofs over the work's; 0 without
  std::string roof;                                           // the one that binds
  std::vector<std::pair<std::string, double>> rival_seconds;  // without rivals that lost their cores
  double foreign_share = 0;
  bool disturbed = false;
  double alone = 0;  // part of the turns that had the cores to themselves; the others count only if none had
};

// Runs the work, its roofs and its rivals in turns: `seconds` of the work's own samples, and up to three
// times as much again where the cores were shared in most of them.
Measurement measure(const KernelWork& work, CoreWatch& cores, double seconds);

// CPU time that other programs and the hypervisor took since construction, as a share of all CPUs' time.
class ForeignCpu {
 public:
  ForeignCpu();
  double share() const;
  // Above 3 %, and by more than the 10 ms ticks of /proc/stat can tell.
  bool disturbed() const;
  double excess_seconds() const;  // busy CPU time less our own

 private:
  double busy_, own_, wall_;
};

}  // namespace smallmind
