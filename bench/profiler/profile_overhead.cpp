// What recording costs: decoding and training with a recorder against the same without, in turns.
//
//   profile_overhead [PAIRS] [THREADS]      default 100 pairs of blocks of 40 ms, all threads
//
// Blocks alternate within one process, with 25 ms between them for the recorder's thread to write what is
// left; each pair begins with the other side than the one before. Printed are, with 95 % intervals, the
// medians of the pairs' ratios of the mean time per token (per step), which other programs disturb, and of
// the median time, which sees all but the recorder's own thread.
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
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
constexpr double kBlockSeconds = 0.04;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Seconds per call.
struct Block {
  double mean, median, total;
};

Block block(const std::function<void()>& work) {
  std::this_thread::sleep_for(std::chrono::milliseconds(25));
  work();
  std::vector<double> times;
  times.reserve(1 << 14);
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

void compare(const char* name, int pairs, const std::function<void()>& work) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("overhead-{}.smprof", getpid());
  std::vector<double> means, medians, off_times;
  double recorded_seconds = 0;
  Recorder recorder(file);
  const ZoneSink* sink = set_zone_sink(nullptr);
  for (int i = 0; i < pairs; ++i) {
    Block on{}, off{};
    for (const bool with : {i % 2 == 0, i % 2 != 0}) {
      set_zone_sink(with ? sink : nullptr);
      (with ? on : off) = block(work);
      set_zone_sink(nullptr);
    }
    recorded_seconds += on.total;
    if (i == 0) continue;  // warms up
    means.push_back(on.mean / off.mean);
    medians.push_back(on.median / off.median);
    off_times.push_back(off.median);
  }
  const RecorderSummary summary = recorder.stop();
  std::filesystem::remove(file);
  fmt::print("{:<22}", name);
  print("mean", means);
  print("median", medians);
  fmt::print("  {:.2f} us without; {:.2f} M events/s, {} dropped\n", 1e6 * median(off_times),
             1e-6 * static_cast<double>(summary.events) / recorded_seconds, summary.dropped);
}

void decode(const char* name, int pairs, ThreadPool& pool) {
  const std::unique_ptr<Model> model = make_model(preset(name));
  model->allocate(false);
  model->initialise(1);
  const PackedWeights packed(*model, pool);
  Session session(*model, pool);
  const auto context = session.context();
  Index position = 0;
  compare(fmt::format("decode {}", name).c_str(), pairs, [&] {
    if (position++ % context == 0) session.reset();
    session.decode(static_cast<std::int32_t>(position % 50));
  });
}

void train(const char* name, int pairs, ThreadPool& pool) {
  const std::unique_ptr<Model> model = make_model(preset(name));
  model->allocate(true);
  model->initialise(1);
  TrainSettings settings;
  settings.batch = 4;
  const PassNeeds needs = measure_pass(*model, pool, settings.batch, true);
  TrainingStep step(*model, settings, pool, needs);
  const std::vector<std::int32_t> tokens(static_cast<std::size_t>(settings.batch * model->config().context),
                                         7);
  compare(fmt::format("training step {}", name).c_str(), pairs, [&] {
    step.gradients(tokens, tokens);
    step.update(1e-5);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 100;
  ThreadPool pool(argc > 2 ? std::atoi(argv[2]) : available_threads());
  decode("small", pairs, pool);
  decode("medium", pairs, pool);
  train("medium", pairs, pool);
}
