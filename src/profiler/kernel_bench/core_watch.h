// Whether the cores that a pool's threads run on are theirs alone at the moment (machine/issue_rate.h).
//
// Nobody tells how many instructions a core takes in when it is not shared, so the highest rate ever seen
// stands for it: the longer a watch looks, the surer it knows, and one watch serves all rows of a benchmark.
#pragma once

#include <vector>

#include "base/thread_pool.h"

namespace smallmind {

class CoreWatch {
 public:
  // Looks for some 0.2 s, so that a shared moment is not taken for the rule.
  explicit CoreWatch(ThreadPool& pool);

  bool one_thread() const noexcept { return pool_.size() == 1; }
  // The lowest rate among the pool's threads, now: some 20 us.
  double rate();
  // That of the calling thread; for samples during which the pool must not wake.
  double rate_of_caller();
  bool alone(double rate) const noexcept;

 private:
  double remember(double rate) noexcept;

  ThreadPool& pool_;
  std::vector<double> rates_;  // of the threads
  double highest_ = 0;
};

}  // namespace smallmind
