// A fixed set of threads that run one function together, and a barrier for use inside it.
//
// A decode step of a small model is some 20 us long and holds about ten parallel regions, so the round trip
// decides: waiting threads spin for up to 50 us (a hot round trip of 2 threads is 0.07 us on cores that share
// a cache and 0.4 us on others, a futex wake 5 to 50 us), then sleep. Spinning stops sooner where it harms: a
// spinner that finds it was descheduled quarters the pool's budget, and a pool with more threads than CPUs,
// or than the CPU quota pays for, does not spin at all. Nothing in run() or barrier() touches the heap; the
// function travels as a pointer and a context pointer. What it does not do: queues, futures, work stealing,
// nested or concurrent run() (both are errors).
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/zone.h"

namespace smallmind {

class ThreadPool {
 public:
  // Starts threads - 1 workers, named sm-1, sm-2, ...; they flush denormals (float_mode.h) and leave all
  // signals to the other threads. Throws Error (usage) for threads < 1, Error (bad_input) when the system
  // gives no more threads.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const noexcept { return size_; }

  // Calls f(thread_index) once on every thread, index 0 on the caller, and returns when all have finished.
  // What any f throws is rethrown here (one of them, if several throw). With size() == 1 this is a plain
  // call. What the caller wrote before run() is visible in f, and what f wrote is visible after it. One
  // caller at a time.
  template <class F>
  void run(F&& f) {
    using Function = std::remove_reference_t<F>;
    const void* context = std::addressof(f);
    run_task([](void* c, int index) { (*static_cast<Function*>(c))(index); }, const_cast<void*>(context));
  }

  // Inside run(), called by every thread of the pool equally often: returns when all have arrived; writes
  // before it are visible after it. thread_index is the index that f was given. If a thread throws, the
  // others leave the barrier with an exception of the pool's own, so that run() can end and rethrow the
  // first.
  void barrier(int thread_index);

 private:
  using Task = void (*)(void* context, int thread_index);
  static constexpr std::size_t kLine = 64;
  struct alignas(kLine) Slot {
    std::uint32_t barrier_phase = 0;  // the phase that this thread waits to see the end of (its local sense)
  };
  struct BarrierAborted {};

  void run_task(Task task, void* context);
  void work(int index) noexcept;
  void call(int index) noexcept;
  void stop() noexcept;
  // Returns when an idle time ended, the present if there was none, and 0 where no sink watches.
  std::uint64_t wait_while_equal(std::atomic<std::uint32_t>& word, std::uint32_t value, const char* name,
                                 ZoneKind kind, std::uint64_t since = 0);
  void wait_for_workers();

  // Lines by who writes them: a core that writes what another one has read waits half a round trip for it.
  // The caller's, on which the workers wait: one transfer brings the task along with the signal.
  alignas(kLine) std::atomic<std::uint32_t> epoch_{0};
  Task task_ = nullptr;
  void* context_ = nullptr;
  const KnownSite* region_ = nullptr;  // of the zone that is open on the caller; null where no sink watches
  bool stopping_ = false;

  // The workers', on which the caller waits.
  alignas(kLine) std::atomic<std::uint32_t> finished_{0};  // of all tasks so far

  alignas(kLine) std::atomic<std::uint32_t> arrived_{0};  // threads that have reached the barrier
  alignas(kLine) std::atomic<std::uint32_t> phase_{0};    // barriers passed

  // The caller's alone.
  alignas(kLine) std::uint32_t to_finish_ = 0;  // what finished_ will be when the task is done
  std::atomic<bool> running_{false};

  // Seldom written by anybody.
  alignas(kLine) std::atomic<std::uint32_t> sleepers_{
      0};  // threads that may be asleep; wakes are skipped at 0
  std::atomic<std::int32_t> spin_ns_{0};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;

  int size_;
  std::int32_t max_spin_ns_;
  std::unique_ptr<Slot[]> slots_;
  std::vector<std::thread> workers_;
};

}  // namespace smallmind
