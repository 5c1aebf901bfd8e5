// The waiting side of the pool. Every wait is "spin, then sleep on the word" and every signal is "change the
// word, then wake if anyone may sleep". No wake is lost: a sleeper counts itself in sleepers_ before it looks
// at the word a last time, a waker changes the word before it looks at sleepers_, both sequentially
// consistent, so at least one of them sees the other.
#include "base/thread_pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/cgroup.h"
#include "base/error.h"
#include "base/float_mode.h"

namespace smallmind {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int32_t kSpinNs = 50'000;
constexpr std::int32_t kLeastSpinNs = 1'000;
constexpr std::int32_t kSpinGrowthNs = 500;
constexpr int kPausesPerLook = 64;  // 1 to 3 us between two looks at the clock
constexpr std::int64_t kDescheduledNs =
    200'000;  // a gap of this size between two looks: the core was taken away

inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

std::int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

// Spins until ready() or the budget's end; tells whether ready() was seen. The clock is first read after one
// round of pauses, so the hot case never pays for it.
template <class Ready, class Pause>
bool spin(std::atomic<std::int32_t>& budget, std::int32_t max_budget, Ready ready, Pause pause) noexcept {
  const std::int32_t limit = budget.load(std::memory_order_relaxed);
  if (limit <= 0) return false;
  std::int64_t start = 0, last = 0;
  for (;;) {
    for (int i = 0; i < kPausesPerLook; ++i) {
      pause();
      if (!ready()) continue;
      if (limit < max_budget)
        budget.store(std::min(limit + kSpinGrowthNs, max_budget), std::memory_order_relaxed);
      return true;
    }
    const std::int64_t now = now_ns();
    if (start == 0) start = last = now;
    if (now - last > kDescheduledNs) {
      budget.store(std::max(limit / 4, kLeastSpinNs), std::memory_order_relaxed);
      return ready();
    }
    if (now - start > limit) return ready();
    last = now;
  }
}

// Waits by `ready` and, when spinning takes too long, `sleep`. Tells a sink, if one watches, the time from
// `since` (0: from now on) to the last look that found nothing: its stamps are taken while there is nothing
// else to do, so that watching does not slow down what is waited for. Returns the end of an idle time, the
// present if there was none, and 0 where nobody watches.
template <class Ready, class Sleep>
std::uint64_t wait(std::atomic<std::int32_t>& budget, std::int32_t max_budget, Ready ready, Sleep sleep,
                   const char* name, ZoneKind kind, std::uint64_t since) {
  if (zone_sink() == nullptr && since == 0) [[likely]] {
    if (!ready() && !spin(budget, max_budget, ready, pause)) sleep();
    // A sink that came meanwhile takes the wait as begun before it.
    if (zone_sink() == nullptr) return 0;
    since = 1;
  }
  const bool at_once = ready();
  if (at_once && since == 0) return kind == ZoneKind::idle ? zone_ticks() : 0;
  std::uint64_t end = since > 1 ? since : zone_ticks();
  const std::uint64_t begin = since != 0 ? since : end;
  // With pauses here, too: each look takes the line from the core that is about to write it.
  if (!at_once && !spin(budget, max_budget, ready, [&end] {
        end = zone_ticks();
        pause();
      })) {
    sleep();
    end = zone_ticks();
  }
  const ZoneSink* sink = zone_sink();
  if (sink == nullptr) return 0;
  if (end > begin) {
    if (kind == ZoneKind::idle)
      keep_wait(*sink, name, kind, begin, end);  // goes with the share that comes now
    else
      record_wait(*sink, name, kind, begin, end);
  }
  return end;
}

// What the caller of run() is at, for the workers' records of their shares; null where no sink watches.
// Its place is not given away before the zone ends, and so not before the workers have finished.
const KnownSite* site_of_region() noexcept {
  static constexpr KnownSite kNoZone{.name = "region"};
  if (zone_sink() == nullptr) [[likely]]
    return nullptr;
  const Zone* zone = Zone::open();
  return zone == nullptr ? &kNoZone : &zone->site();
}

// Blocks all signals while threads are started: they inherit the mask, so handlers only ever run in the
// program's own threads.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t saved_;
};

}  // namespace

ThreadPool::ThreadPool(int threads) : size_(threads), max_spin_ns_(kSpinNs) {
  if (threads < 1) fail_usage("[thread_pool] at least 1 thread expected, {} asked for", threads);
  const ThreadLimits limits =
      thread_limits();  // a spinner beyond the mask or the quota takes the time of a worker
  const bool beyond_quota = limits.quota_cores != 0 && threads > limits.quota_cores;
  if (threads > limits.affinity_cpus || beyond_quota) max_spin_ns_ = 0;
  spin_ns_.store(max_spin_ns_, std::memory_order_relaxed);
  slots_ = std::make_unique<Slot[]>(static_cast<std::size_t>(threads));
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  const SignalsBlocked blocked;
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error& e) {
    const std::size_t started = workers_.size() + 1;
    stop();
    fail_input("[thread_pool] {} threads expected, the system gave {}: {}", threads, started, e.what());
  }
}

ThreadPool::~ThreadPool() {
  stop();
}

void ThreadPool::stop() noexcept {
  stopping_ = true;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

std::uint64_t ThreadPool::wait_while_equal(std::atomic<std::uint32_t>& word, std::uint32_t value,
                                           const char* name, ZoneKind kind, std::uint64_t since) {
  const auto changed = [&] { return word.load(std::memory_order_acquire) != value; };
  const auto sleep = [&] {
    sleepers_.fetch_add(1);
    while (word.load() == value) word.wait(value);
    sleepers_.fetch_sub(1);
  };
  return wait(spin_ns_, max_spin_ns_, changed, sleep, name, kind, since);
}

void ThreadPool::wait_for_workers() {
  const auto finished = [&] { return finished_.load(std::memory_order_acquire) == to_finish_; };
  const auto sleep = [&] {
    sleepers_.fetch_add(1);
    for (std::uint32_t now = finished_.load(); now != to_finish_; now = finished_.load()) finished_.wait(now);
    sleepers_.fetch_sub(1);
  };
  wait(spin_ns_, max_spin_ns_, finished, sleep, "join", ZoneKind::wait, 0);
}

void ThreadPool::run_task(Task task, void* context) {
  SM_CHECK(!running_.exchange(true, std::memory_order_acquire),
           "[thread_pool] one run() at a time expected, a nested or concurrent one found");
  task_ = task;
  context_ = context;
  if (size_ > 1) {
    region_ = site_of_region();
    to_finish_ += static_cast<std::uint32_t>(size_) - 1;
    epoch_.fetch_add(1);
    if (sleepers_.load() != 0) epoch_.notify_all();
  }
  call(0);
  if (size_ > 1) wait_for_workers();
  std::exception_ptr error;
  if (failed_.load(std::memory_order_relaxed)) [[unlikely]] {
    error = std::exchange(error_, nullptr);
    arrived_.store(0, std::memory_order_relaxed);
    failed_.store(false, std::memory_order_relaxed);
  }
  running_.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
}

void ThreadPool::call(int index) noexcept {
  slots_[static_cast<std::size_t>(index)].barrier_phase = phase_.load(std::memory_order_acquire);
  try {
    task_(context_, index);
  } catch (const BarrierAborted&) {
    return;  // the thread that threw first has stored the reason
  } catch (...) {
    if (!failed_.exchange(true)) error_ = std::current_exception();
    phase_.fetch_add(1);  // lets those go who wait in a barrier that this thread will never reach
    phase_.notify_all();
  }
}

void ThreadPool::work(int index) noexcept {
  pthread_setname_np(pthread_self(), fmt::format("sm-{}", index).c_str());
  const FlushDenormals flush;
  std::uint64_t since = 0;
  for (std::uint32_t seen = 0;;) {
    const std::uint64_t begin = wait_while_equal(epoch_, seen, "idle", ZoneKind::idle, since);
    ++seen;
    if (stopping_) {  // no share comes for the last idle time
      if (const ZoneSink* sink = zone_sink(); sink != nullptr) hand_over_wait(*sink);
      return;
    }
    const KnownSite* region = begin == 0 ? nullptr : region_;
    __builtin_prefetch(region);
    const ThreadCounters before = thread_counters;
    call(index);
    // Read before this thread has finished: after that the site may become another one's.
    const char* name = region == nullptr ? nullptr : region->name;
    const ZoneTraits share = region == nullptr ? ZoneTraits{} : region->traits.as(ZoneKind::share);
    finished_.fetch_add(1);
    if (sleepers_.load() != 0) finished_.notify_all();
    since = begin == 0 ? 0 : zone_ticks();
    const ZoneSink* sink = since == 0 || name == nullptr ? nullptr : zone_sink();
    if (sink == nullptr) [[likely]]
      continue;
    complete_interval(*sink, name, share, begin, since, before);
  }
}

void ThreadPool::barrier(int thread_index) {
  if (size_ == 1) return;
  // A thread that starts after a failure reads the bumped phase, and failed_ with it: it must not wait for
  // those who left.
  if (failed_.load(std::memory_order_acquire)) [[unlikely]]
    throw BarrierAborted{};
  Slot& slot = slots_[static_cast<std::size_t>(thread_index)];
  const std::uint32_t phase = slot.barrier_phase++;
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(size_)) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.fetch_add(1);
    if (sleepers_.load() != 0) phase_.notify_all();
  } else {
    wait_while_equal(phase_, phase, "barrier", ZoneKind::wait);
  }
  if (failed_.load(std::memory_order_acquire)) [[unlikely]]
    throw BarrierAborted{};
}

}  // namespace smallmind
