// What recording costs: decoding and training with a recorder against the same without, in turns.
//
//   profile_overhead [PROCESSES] [THREADS] [small|medium|training]   default 20, all threads, all three
//
// Blocks alternate within a process: 0.4 s each or 12 calls, whichever takes longer, so that the recorder's
// thread comes to the rings, at least every 0.1 s, while they last, with pauses for what is left. Within a
// block only those slices of 2 ms count whose cores nobody shared at either end (core_watch.h). Each process
// gives three ratios; where its pages happen to lie moves them by 1 to 2 %, hence many processes. Printed
// are, with 95 % intervals, the medians of the ratios of the mean time per token (per step), which other
// programs disturb, and of the median time, which sees all but the recorder's own thread; what that thread
// took of a core; and how many pairs of blocks had slices that count.
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
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
#include "profiler/kernel_bench/core_watch.h"
#include "profiler/recorder.h"
#include "profiler/statistics.h"
#include "train/step.h"

using namespace smallmind;

namespace {

using Clock = std::chrono::steady_clock;
constexpr double kBlockSeconds = 0.4, kSliceSeconds = 0.002;
constexpr int kLeastCalls = 12;
constexpr int kPairs = 3;  // of a process
constexpr std::chrono::milliseconds kPause{120};

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

// Seconds per call, of the slices that count; 0 where none does.
struct Block {
  double mean, median, total;
};

Block block(const std::function<void()>& work, CoreWatch& cores) {
  std::this_thread::sleep_for(kPause);
  work();
  std::vector<double> times;  // of the slices that count
  times.reserve(1 << 16);
  double sum = 0;
  int calls = 0;
  const auto begin = Clock::now();
  while (seconds_since(begin) < kBlockSeconds || calls < kLeastCalls) {
    const double before = cores.rate();
    const std::size_t first = times.size();
    const auto slice = Clock::now();
    double now = 0;
    do {
      work();
      const double last = now;
      now = seconds_since(slice);
      times.push_back(now - last);
      ++calls;
    } while (now < kSliceSeconds);
    if (cores.alone(std::min(before, cores.rate())))
      sum += now;
    else
      times.resize(first);
  }
  const double total = seconds_since(begin);
  if (times.empty()) return {0, 0, total};
  return {sum / static_cast<double>(times.size()), median(times), total};
}

void print(const char* what, const std::vector<double>& ratios) {
  const Interval interval = median_interval(ratios);
  fmt::print("  {} {:.4f} [{:.4f}, {:.4f}]", what, median(ratios), interval.low, interval.high);
}

// What one process found; travels through a pipe as it is. A pair that found nothing is 0.
struct Found {
  double means[kPairs], medians[kPairs], off_median;
  double recorded_seconds, writer_seconds, events, bytes, dropped;
};

Found compare(const std::function<void()>& work, ThreadPool& pool) {
  CoreWatch cores(pool);
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("overhead-{}.smprof", getpid());
  Found found{};
  Recorder recorder(file);
  const ZoneSink* sink = set_zone_sink(nullptr);
  for (int i = -1; i < kPairs; ++i) {  // the first warms up
    Block on{}, off{};
    for (const bool with : {i % 2 == 0, i % 2 != 0}) {
      set_zone_sink(with ? sink : nullptr);
      (with ? on : off) = block(work, cores);
      set_zone_sink(nullptr);
    }
    found.recorded_seconds += on.total;
    if (i < 0 || on.mean == 0 || off.mean == 0) continue;
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
    for (int pair = 0; pair < kPairs; ++pair) {
      if (found.means[pair] == 0) continue;
      means.push_back(found.means[pair]);
      medians.push_back(found.medians[pair]);
    }
    if (found.off_median > 0) off.push_back(found.off_median);
    sum.recorded_seconds += found.recorded_seconds;
    sum.writer_seconds += found.writer_seconds;
    sum.events += found.events;
    sum.bytes += found.bytes;
    sum.dropped += found.dropped;
  }
  fmt::print("{:<22}", name);
  if (means.empty()) return fmt::print("  cores shared throughout\n");
  print("mean", means);
  print("median", medians);
  fmt::print(
      "  {:.2f} us without; {:.2f} M events/s, {:.1f} MB/s, {} dropped; writer {:.2f} % of a core; {} of {} "
      "pairs\n",
      1e6 * median(off), 1e-6 * sum.events / sum.recorded_seconds, 1e-6 * sum.bytes / sum.recorded_seconds,
      sum.dropped, 100 * sum.writer_seconds / sum.recorded_seconds, means.size(), kPairs * processes);
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
  return compare(
      [&] {
        if (position++ % context == 0) session.reset();
        session.decode(static_cast<std::int32_t>(position % 50));
      },
      pool);
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
  return compare(
      [&] {
        step.gradients(tokens, tokens);
        step.update(1e-5);
      },
      pool);
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
