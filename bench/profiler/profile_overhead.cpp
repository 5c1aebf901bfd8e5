// What recording costs: decoding and training with a recorder against the same without, in turns.
//
//   profile_overhead [PROCESSES] [THREADS] [small|medium|training]   default 20, all threads, all three
//
// Blocks alternate within a process: 0.2 s each, so that the recorder's thread comes to the rings, at least
// every 0.05 s, while they last, with pauses for what is left. Each process gives three ratios; where its
// pages happen to lie moves them by 1 to 2 %, hence many processes. Printed are, with 95 % intervals, the
// medians of the ratios of the mean time per token (per step), which other programs disturb, and of the
// median time, which sees all but the recorder's own thread; and what that thread took of a core.
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "base/cgroup.h"
#include "infer/packed_weights.h"
#include "infer/session.h"
#include "model/presets.h"
#include "profiler/recorder.h"
#include "profiler/statistics.h"
#include "train/step.h"

using namespace smallmind;

namespace {

using Clock = std::chrono::steady_clock;
constexpr double kBlockSeconds = 0.2;
constexpr int kPairs = 3;  // of a process
constexpr std::chrono::milliseconds kPause{60};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// What the recorder's thread has used so far, by the scheduler's books.
double writer_seconds() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name != "sm-record") continue;
    double nanoseconds = 0;
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    return 1e-9 * nanoseconds;
  }
  return 0;
}

// Seconds per call.
struct Block {
  double mean, median, total;
};

Block block(const std::function<void()>& work) {
  std::this_thread::sleep_for(kPause);
  work();
  std::vector<double> times;
  times.reserve(1 << 16);
  const auto begin = Clock::now();
  double now = 0;
  do {
    work();
    const double last = now;
    now = seconds_since(begin);
    times.push_back(now - last);
  } while (now < kBlockSeconds);
  return {now / static_cast<double>(times.size()), median(times), now};
}

void print(const char* what, const std::vector<double>& ratios) {
  const Interval interval = median_interval(ratios);
  fmt::print("  {} {:.4f} [{:.4f}, {:.4f}]", what, median(ratios), interval.low, interval.high);
}

// What one process found; travels through a pipe as it is.
struct Found {
  double means[kPairs], medians[kPairs], off_median;
  double recorded_seconds, writer_seconds, events, bytes, dropped;
};

Found compare(const std::function<void()>& work) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("overhead-{}.smprof", getpid());
  Found found{};
  Recorder recorder(file);
  const ZoneSink* sink = set_zone_sink(nullptr);
  for (int i = -1; i < kPairs; ++i) {  // the first warms up
    Block on{}, off{};
    for (const bool with : {i % 2 == 0, i % 2 != 0}) {
      set_zone_sink(with ? sink : nullptr);
      (with ? on : off) = block(work);
      set_zone_sink(nullptr);
    }
    found.recorded_seconds += on.total;
    if (i < 0) continue;
    found.means[i] = on.mean / off.mean;
    found.medians[i] = on.median / off.median;
    found.off_median = off.median;
  }
  found.writer_seconds = writer_seconds();
  const RecorderSummary summary = recorder.stop();
  std::filesystem::remove(file);
  found.events = static_cast<double>(summary.events);
  found.bytes = static_cast<double>(summary.bytes);
  found.dropped = static_cast<double>(summary.dropped);
  return found;
}

Found in_a_process(const std::function<Found()>& measure) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(2);
  Found found{};
  const pid_t child = fork();
  if (child == 0) {
    found = measure();
    _exit(write(ends[1], &found, sizeof(found)) == sizeof(found) ? 0 : 2);
  }
  close(ends[1]);
  if (child < 0 || read(ends[0], &found, sizeof(found)) != sizeof(found)) std::exit(2);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return found;
}

void report(const char* name, int processes, const std::function<Found()>& measure) {
  std::vector<double> means, medians, off;
  Found sum{};
  for (int i = 0; i < processes; ++i) {
    const Found found = in_a_process(measure);
    means.insert(means.end(), std::begin(found.means), std::end(found.means));
    medians.insert(medians.end(), std::begin(found.medians), std::end(found.medians));
    off.push_back(found.off_median);
    sum.recorded_seconds += found.recorded_seconds;
    sum.writer_seconds += found.writer_seconds;
    sum.events += found.events;
    sum.bytes += found.bytes;
    sum.dropped += found.dropped;
  }
  fmt::print("{:<22}", name);
  print("mean", means);
  print("median", medians);
  fmt::print("  {:.2f} us without; {:.2f} M events/s, {:.1f} MB/s, {} dropped; writer {:.2f} % of a core\n",
             1e6 * median(off), 1e-6 * sum.events / sum.recorded_seconds,
             1e-6 * sum.bytes / sum.recorded_seconds, sum.dropped,
             100 * sum.writer_seconds / sum.recorded_seconds);
  std::fflush(stdout);
}

Found decode(const char* name, int threads) {
  ThreadPool pool(threads);
  const std::unique_ptr<Model> model = make_model(preset(name));
  model->allocate(false);
  model->initialise(1);
  const PackedWeights packed(*model, pool);
  Session session(*model, pool);
  const auto context = session.context();
  Index position = 0;
  return compare([&] {
    if (position++ % context == 0) session.reset();
    session.decode(static_cast<std::int32_t>(position % 50));
  });
}

Found train(const char* name, int threads) {
  ThreadPool pool(threads);
  const std::unique_ptr<Model> model = make_model(preset(name));
  model->allocate(true);
  model->initialise(1);
  TrainSettings settings;
  settings.batch = 4;
  const PassNeeds needs = measure_pass(*model, pool, settings.batch, true);
  TrainingStep step(*model, settings, pool, needs);
  const std::vector<std::int32_t> tokens(static_cast<std::size_t>(settings.batch * model->config().context),
                                         7);
  return compare([&] {
    step.gradients(tokens, tokens);
    step.update(1e-5);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const int processes = argc > 1 ? std::atoi(argv[1]) : 20;
  const int threads = argc > 2 ? std::atoi(argv[2]) : available_threads();
  const std::string_view which = argc > 3 ? argv[3] : "";
  const auto wanted = [&](std::string_view name) { return which.empty() || which == name; };
  if (wanted("small")) report("decode small", processes, [&] { return decode("small", threads); });
  if (wanted("medium")) report("decode medium", processes, [&] { return decode("medium", threads); });
  if (wanted("training")) report("training step medium", processes, [&] { return train("medium", threads); });
}
