// The sink, the threads' rings, and the thread that empties them; see recorder.h.
//
// A worker of a pool may hand over its last interval after the pool's caller has gone on to stop the
// recording. So what a thread writes to lives as long as the thread: the sink is a constant, each thread
// shares the ownership of its ring, and it meets the session only under the registry's lock.
#include "profiler/recorder.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/memory_use.h"
#include "profiler/event_ring.h"
#include "profiler/hardware_counters.h"
#include "profiler/record_writer.h"

namespace smallmind {
namespace {

std::int64_t now_ns(clockid_t clock) noexcept {
  timespec time{};
  return clock_gettime(clock, &time) == 0 ? time.tv_sec * 1'000'000'000 + time.tv_nsec : -1;
}

}  // namespace

class RecorderSession {
 public:
  RecorderSession(const std::filesystem::path& path, const RecorderOptions& options);
  ~RecorderSession();
  RecorderSession(const RecorderSession&) = delete;
  RecorderSession& operator=(const RecorderSession&) = delete;

  // A ring for the calling thread.
  std::shared_ptr<EventRing> attach();
  void section(std::string_view name, std::string_view json);
  RecorderSummary finish();

 private:
  struct Thread {
    std::shared_ptr<EventRing> ring;
    StreamState stream;
    clockid_t cpu_clock = 0;
    std::int64_t cpu_begin = 0, cpu_last = 0;
    bool alive = true;
    HardwareCounters counters;  // opened by the thread itself
  };

  void work() noexcept;
  double drain();
  std::uint64_t write_clock();
  void write_hardware();
  void sample_memory();

  RecorderOptions options_;
  std::mutex mutex_;  // of all that follows
  std::condition_variable wake_;
  bool stopping_ = false;
  RecordWriter writer_;
  std::uint64_t start_ticks_ = 0;
  double clock_ghz_ = 0;
  std::array<std::int64_t, kMemoryCategories> memory_written_{};
  std::deque<Thread> threads_;
  std::thread thread_;
};

namespace {

// The running session, if any. Who holds this lock may take the session's, not the other way round.
constinit std::mutex registry_mutex;
constinit RecorderSession* registry_session = nullptr;

// What the zones see of it. One line, for it is read at each event.
struct alignas(64) RecorderSink : ZoneSink {
  std::atomic<std::uint32_t> generation{0};  // changes when a session begins and ends
};
void on_complete(const ZoneSink& sink, SinkMemory& memory, KnownSite& site, std::uint64_t begin,
                 std::uint64_t end, const ThreadCounters& before) noexcept;
constinit RecorderSink recorder_sink{{&on_complete}};

// A ring of the session for this thread. The registry's lock is held.
EventRing* attach_locked() noexcept {
  const ThreadCounters before = thread_counters;  // the profiler's own allocations are nobody's
  thread_local std::shared_ptr<EventRing> owner;
  try {
    owner = registry_session == nullptr ? nullptr : registry_session->attach();
  } catch (const std::exception&) {
    owner = nullptr;  // a thread without memory for a ring is not recorded
  }
  thread_counters = before;
  break_zone_chain();  // what this took is not the next op's time
  return owner.get();
}

// Once for each recording.
[[gnu::noinline]] EventRing* attach_thread(const RecorderSink& sink) noexcept {
  thread_local std::uint32_t tried_for = 0;
  const std::uint32_t generation = sink.generation.load(std::memory_order_relaxed);
  if (std::exchange(tried_for, generation) == generation) return nullptr;
  const std::lock_guard lock(registry_mutex);
  return attach_locked();
}

// The thread's state is its ring, that of an earlier session perhaps.
void on_complete(const ZoneSink& sink, SinkMemory& memory, KnownSite& site, std::uint64_t begin,
                 std::uint64_t end, const ThreadCounters& before) noexcept {
  const auto& recorder = static_cast<const RecorderSink&>(sink);
  auto* ring = static_cast<EventRing*>(memory.state);
  if (ring == nullptr || ring->generation() != recorder.generation.load(std::memory_order_relaxed))
      [[unlikely]]
    memory.state = ring = attach_thread(recorder);
  if (ring == nullptr) [[unlikely]] {
    memory.wait.name = nullptr;
    return;
  }
  ring->push(memory, site, begin, end, before);
}

std::string name_of_this_thread() {
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

}  // namespace

RecorderSession::RecorderSession(const std::filesystem::path& path, const RecorderOptions& options)
    : options_(options), writer_(path), clock_ghz_(measure_clock_ghz()) {
  start_ticks_ = write_clock();
  sample_memory();
  sigset_t all, saved;  // the program's handlers run in the program's threads
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &saved);
  thread_ = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &saved, nullptr);
}

RecorderSession::~RecorderSession() {
  if (thread_.joinable()) finish();
}

std::shared_ptr<EventRing> RecorderSession::attach() {
  const std::lock_guard lock(mutex_);
  Thread& thread = threads_.emplace_back();
  try {
    thread.ring =
        std::make_shared<EventRing>(options_.ring_words, start_ticks_, recorder_sink.generation.load());
  } catch (...) {
    threads_.pop_back();
    throw;
  }
  thread.stream.thread = static_cast<std::uint32_t>(threads_.size() - 1);
  pthread_getcpuclockid(pthread_self(), &thread.cpu_clock);
  thread.cpu_begin = thread.cpu_last = now_ns(thread.cpu_clock);
  writer_.chunk(record::Chunk::thread, thread.stream.thread, name_of_this_thread());
  return thread.ring;
}

void RecorderSession::section(std::string_view name, std::string_view json) {
  const std::lock_guard lock(mutex_);
  writer_.section(name, json);
}

// Returns the moment's ticks.
std::uint64_t RecorderSession::write_clock() {
  const std::uint64_t ticks = zone_ticks();
  writer_.words(record::Chunk::clock, 0, ticks, now_ns(CLOCK_MONOTONIC));
  return ticks;
}

// What has changed since the last sample.
void RecorderSession::sample_memory() {
  for (std::size_t category = 0; category < kMemoryCategories; ++category) {
    const std::int64_t bytes = memory_in_use[category].load(std::memory_order_relaxed);
    if (bytes == memory_written_[category]) continue;
    memory_written_[category] = bytes;
    writer_.words(record::Chunk::memory, 0, zone_ticks(), category, bytes);
  }
}

// Writes what there is; returns how full the fullest ring was.
double RecorderSession::drain() {
  double fullest = 0;
  sample_memory();
  for (Thread& thread : threads_) {
    const auto words = static_cast<double>(thread.ring->peek().size());
    fullest = std::max(fullest, words / static_cast<double>(thread.ring->capacity()));
    writer_.drain(*thread.ring, thread.stream);
    const std::int64_t cpu = thread.alive ? now_ns(thread.cpu_clock) : -1;
    thread.alive = cpu >= 0;
    if (thread.alive) thread.cpu_last = cpu;
  }
  if (!writer_.empty()) write_clock();  // so that a file that is cut short has a time scale
  writer_.flush();
  return fullest;
}

void RecorderSession::work() noexcept {
  pthread_setname_np(pthread_self(), "sm-record");
  std::unique_lock lock(mutex_);
  constexpr std::chrono::microseconds kLeast{5000}, kMost{100'000};
  std::chrono::microseconds pause{20'000};
  const bool fixed = options_.drain_every.count() > 0;
  if (fixed) pause = options_.drain_every;
  while (!wake_.wait_for(lock, pause, [this] { return stopping_; })) {
    const double fullest = drain();
    if (fixed) continue;
    const double quarter = static_cast<double>(pause.count()) * 0.25 / std::max(fullest, 1e-3);
    pause = std::clamp(std::chrono::microseconds(static_cast<std::int64_t>(quarter)), kLeast, kMost);
  }
}

// The section "hardware": the clock before and after, and the threads' counters or why there are none.
void RecorderSession::write_hardware() {
  CounterValues sum;
  std::string missing;
  for (const Thread& thread : threads_) {
    const auto values = thread.counters.read();
    if (!values) {
      missing = thread.counters.missing();
      continue;
    }
    sum.instructions += values->instructions;
    sum.cycles += values->cycles;
    sum.cache_misses += values->cache_misses;
  }
  std::string json = fmt::format(R"({{"clock_ghz_before": {:.3f}, "clock_ghz_after": {:.3f})", clock_ghz_,
                                 measure_clock_ghz());
  json += missing.empty() ? fmt::format(R"(, "instructions": {}, "cycles": {}, "cache_misses": {}}})",
                                        sum.instructions, sum.cycles, sum.cache_misses)
                          : fmt::format(R"(, "counters": "{}"}})", missing);
  writer_.section("hardware", json);
}

RecorderSummary RecorderSession::finish() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  const std::lock_guard lock(mutex_);
  drain();
  write_clock();
  write_hardware();
  RecorderSummary summary;
  for (const Thread& thread : threads_) {
    summary.events += thread.ring->events();
    summary.dropped += thread.ring->dropped();
    writer_.words(record::Chunk::life, thread.stream.thread, thread.cpu_last - thread.cpu_begin,
                  thread.ring->events(), thread.ring->dropped(), thread.alive);
  }
  writer_.chunk(record::Chunk::end, 0, "");
  writer_.flush();
  if (!writer_.error().empty()) fail_input("{}", writer_.error());
  summary.bytes = writer_.bytes();
  return summary;
}

Recorder::Recorder(const std::filesystem::path& path, const RecorderOptions& options) {
  const std::lock_guard lock(registry_mutex);
  if (registry_session != nullptr) fail_usage("[record] one recording at a time expected, one is running");
  session_ = std::make_unique<RecorderSession>(path, options);
  registry_session = session_.get();
  recorder_sink.generation.fetch_add(1);
  sink_memory().state = attach_locked();  // a ring costs 0.3 ms, so not in the midst of the work
  set_zone_sink(&recorder_sink);
}

Recorder::~Recorder() {
  try {
    if (session_ != nullptr) stop();
  } catch (const std::exception&) {  // who wants to know calls stop()
  }
}

void Recorder::section(std::string_view name, std::string_view json) {
  SM_CHECK(session_ != nullptr, "[record] a running recording expected, it was stopped");
  session_->section(name, json);
}

RecorderSummary Recorder::stop() {
  SM_CHECK(session_ != nullptr, "[record] a running recording expected, it was stopped");
  set_zone_sink(nullptr);
  // Workers end their last interval after the caller has its result; this is more than they need.
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  {
    const std::lock_guard lock(registry_mutex);
    registry_session = nullptr;
    recorder_sink.generation.fetch_add(1);
  }
  const std::unique_ptr<RecorderSession> session = std::move(session_);
  return session->finish();
}

}  // namespace smallmind
