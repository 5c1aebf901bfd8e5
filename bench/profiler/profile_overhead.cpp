// What recording costs: decoding and training with a recorder against the same without, in turns.
//
//   profile_overhead [PAIRS] [THREADS]      default 40 pairs of blocks of 100 ms, all threads
//
// Blocks alternate within one process, with 30 ms between them for the recorder's thread to write what is
// left; each pair begins with the other side than the one before. Printed are the median of the pairs'
// ratios of time per token (per step), its 95 % interval, and the events per second.
#include <fmt/core.h>

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
constexpr double kBlockSeconds = 0.1;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Seconds per call of `work`, over a block.
double block(const std::function<void()>& work) {
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  work();
  const auto begin = Clock::now();
  int count = 0;
  do {
    work();
    ++count;
  } while (seconds_since(begin) < kBlockSeconds);
  return seconds_since(begin) / count;
}

void compare(const char* name, int pairs, const std::function<void()>& work) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("overhead-{}.smprof", getpid());
  std::vector<double> ratios, off_times;
  RecorderSummary summary;
  const auto begin = Clock::now();
  {
    Recorder recorder(file);
    const ZoneSink* sink = set_zone_sink(nullptr);
    for (int i = 0; i < pairs; ++i) {
      double on = 0, off = 0;
      for (const bool with : {i % 2 == 0, i % 2 != 0}) {
        set_zone_sink(with ? sink : nullptr);
        (with ? on : off) = block(work);
        set_zone_sink(nullptr);
      }
      if (i == 0) continue;  // warms up
      ratios.push_back(on / off);
      off_times.push_back(off);
    }
    summary = recorder.stop();
  }
  std::filesystem::remove(file);
  const Interval interval = median_interval(ratios);
  fmt::print("{:<22} {:.4f} [{:.4f}, {:.4f}]  {:.2f} us without, {:.1f} M events/s, {} dropped\n", name,
             median(ratios), interval.low, interval.high, 1e6 * median(off_times),
             static_cast<double>(summary.events) / seconds_since(begin) * 2.6e-6, summary.dropped);
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
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 40;
  ThreadPool pool(argc > 2 ? std::atoi(argv[2]) : available_threads());
  decode("small", pairs, pool);
  decode("medium", pairs, pool);
  train("medium", pairs, pool);
}
