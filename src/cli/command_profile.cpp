// See command_profile.h.
#include "cli/command_profile.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/signal.h"
#include "cli/version.h"
#include "kernels/dispatch.h"
#include "machine/roofline.h"
#include "profiler/environment.h"
#include "profiler/recorder.h"
#include "profiler/report/render.h"
#include "profiler/report/roof.h"

namespace smallmind {
namespace {

constexpr std::size_t kHotPaths = 12;

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

// The signals are blocked in all threads; one of its own waits for them, so that what they cause may take
// locks and write files.
struct CommandProfile::State {
  State(const std::string& to, bool silent) : path(to), quiet(silent), recorder(to) {}

  void listen();
  void finish();

  std::string path;
  bool quiet;
  Recorder recorder;
  std::mutex mutex;  // held by who finishes; the listener keeps it when it ends the program
  bool finished = false;
  std::atomic<bool> leaving{false};
  sigset_t former{};
  std::thread listener;
};

void CommandProfile::State::finish() {
  if (finished) return;
  finished = true;
  const RecorderSummary summary = recorder.stop();
  if (quiet) return;
  const OpTable table = make_op_table(Recording::open(path));
  fmt::print(stderr, "\n{}\nrecording: {} ({} events, {} dropped)\n", op_table_text(table, kHotPaths), path,
             summary.events, summary.dropped);
}

void CommandProfile::State::listen() {
  const sigset_t signals = stop_signals();
  int number = 0;
  while (sigwait(&signals, &number) == 0 && !leaving.load()) {
    if (StopSignals::listening() && !StopSignals::requested()) {
      StopSignals::request();
      continue;
    }
    mutex.lock();
    try {
      finish();
    } catch (const std::exception& e) {
      fmt::print(stderr, "smallmind: {}\n", e.what());
    }
    _exit(128 + number);
  }
}

CommandProfile::CommandProfile() = default;

CommandProfile::~CommandProfile() {
  if (state_ == nullptr) return;
  state_->leaving = true;
  // The listener takes it by sigwait; nothing is terminated.
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
  pthread_kill(state_->listener.native_handle(), SIGTERM);
  state_->listener.join();
  pthread_sigmask(SIG_SETMASK, &state_->former, nullptr);
}

void CommandProfile::start(const std::string& path, const std::string& command, int threads, bool quiet) {
  state_ = std::make_unique<State>(path, quiet);
  state_->recorder.section("environment", environment_json(kVersion, kCommit, threads));
  state_->recorder.section("workload", nlohmann::json{{"name", command}, {"threads", threads}}.dump());
  // Measuring the roofs would take longer than many a command; what is known from earlier is used.
  if (const auto directory = cache_directory())
    if (const auto roofline = load_roofline(*directory, roofline_key(threads, kernels().isa)))
      state_->recorder.section("roofline", roofline_section(*roofline));
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, &state_->former);
  state_->listener = std::thread([state = state_.get()] { state->listen(); });
}

void CommandProfile::finish() {
  if (state_ == nullptr) return;
  const std::lock_guard lock(state_->mutex);
  state_->finish();
}

}  // namespace smallmind
