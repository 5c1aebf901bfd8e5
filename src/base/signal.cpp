// Signal handlers need a place outside of any object: lock-free flags.
#include "base/signal.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace smallmind {
namespace {

constinit std::atomic<bool> stop_flag{false};
constinit std::atomic<bool> object_lives{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "only lock-free atomics may be used in a signal handler");

void on_stop_signal(int number) {
  if (stop_flag.exchange(true)) _exit(128 + number);
}

constexpr int kSignals[] = {SIGINT, SIGTERM};
struct sigaction former_actions[2];

}  // namespace

StopSignals::StopSignals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &action, &former_actions[i]);
  object_lives = true;
}

StopSignals::~StopSignals() {
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &former_actions[i], nullptr);
  stop_flag = false;
  object_lives = false;
}

bool StopSignals::listening() noexcept {
  return object_lives.load();
}

bool StopSignals::requested() noexcept {
  return stop_flag.load(std::memory_order_relaxed);
}

void StopSignals::request() noexcept {
  stop_flag = true;
}

void ignore_broken_pipes() noexcept {
  signal(SIGPIPE, SIG_IGN);
}

}  // namespace smallmind
