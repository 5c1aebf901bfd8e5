// See core_watch.h.
#include "profiler/kernel_bench/core_watch.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "machine/issue_rate.h"

namespace smallmind {

CoreWatch::CoreWatch(ThreadPool& pool) : pool_(pool), rates_(static_cast<std::size_t>(pool.size())) {
  constexpr int kLooks = 50;
  for (int i = 0; i < kLooks; ++i) {
    rate();
    std::this_thread::sleep_for(std::chrono::milliseconds(4));
  }
}

double CoreWatch::remember(double rate) noexcept {
  highest_ = std::max(highest_, rate);
  return rate;
}

double CoreWatch::rate() {
  if (one_thread()) return rate_of_caller();
  pool_.run([&](int thread) { rates_[static_cast<std::size_t>(thread)] = measured_issue_rate(); });
  return remember(*std::min_element(rates_.begin(), rates_.end()));
}

double CoreWatch::rate_of_caller() {
  return remember(measured_issue_rate());
}

bool CoreWatch::alone(double rate) const noexcept {
  return rate >= kSharedIssueRate * highest_;
}

}  // namespace smallmind
