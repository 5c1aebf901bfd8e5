// Sampling in turns; see sampler.h.
//
// A sample is as many calls as take half a millisecond, so that clocks (30 ns) and the start of a parallel
// region (0.3 us) do not count. Within a block, samples of each roof and of the work alternate; then each
// rival gets a block, with a pause before and after in which thread pools stop spinning: OpenBLAS's workers
// spin for 2^26 cycles, some 25 ms. Samples in which somebody else used a core (core_watch.h) are left out.
// The share of the roof is the median of the ratios within a turn, so that what a neighbour changes from one
// millisecond to the next changes both sides of it.
#include "profiler/kernel_bench/sampler.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "profiler/statistics.h"

namespace smallmind {
namespace {

constexpr double kSampleSeconds = 0.5e-3;
constexpr double kRoofPart = 0.2;  // of the work's time that each roof gets at least
constexpr auto kPause = std::chrono::milliseconds(30);
constexpr int kRounds = 3;
constexpr std::size_t kLeastSamples = 5;
constexpr int kAttempts = 4;
constexpr double kLongerAboveRoof = 3;
constexpr double kLongerWhereShared = 4;
constexpr double kLeastAlone = 0.4;  // of the samples
constexpr double kMostForeign = 0.03;
constexpr double kLeastCpuShare = 0.97;
// A rival that takes so much longer than in its best block, or than our work, lost a core to its own pool.
constexpr double kLostBlock = 2;
constexpr double kLostRival = 50;

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double now() {
  return seconds_of(CLOCK_MONOTONIC);
}

// One thing to time: how many calls make a sample, and the samples so far in seconds per call.
class Timed {
 public:
  // on_pool: it runs on the watched threads. A rival has threads of its own, which spin on the same cores.
  Timed(const std::function<void()>& run, const std::function<void()>* prepare, CoreWatch& cores,
        bool on_pool)
      : run_(&run), prepare_(prepare), cores_(&cores), on_pool_(on_pool) {}

  // Warms up and finds the number of calls.
  void calibrate() {
    time_calls();
    if (prepare_ != nullptr) return;  // what needs preparing is long
    for (;;) {
      const double seconds = time_calls();
      if (seconds >= kSampleSeconds / 2) return;
      calls_ = static_cast<int>(calls_ * std::clamp(kSampleSeconds / std::max(seconds, 1e-9), 2.0, 100.0));
    }
  }

  // Returns how long it took.
  double sample() {
    const double rate = look();
    const double cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID), begin = now();
    const double seconds = time_calls();
    const double wall = now() - begin;
    const bool whole =
        !cores_->one_thread() || seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu >= kLeastCpuShare * wall;
    samples_.push_back({seconds / calls_, std::min(rate, look()), whole});
    return seconds;
  }

  std::size_t samples() const { return samples_.size(); }
  // Whether the threads had their cores in sample i, and for themselves.
  bool alone(std::size_t i) const { return samples_[i].whole && cores_->alone(samples_[i].issue_rate); }
  double part_alone() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < samples_.size(); ++i) count += alone(i);
    return static_cast<double>(count) / static_cast<double>(samples_.size());
  }
  double seconds(std::size_t i) const { return samples_[i].seconds; }
  // Those of samples [first, end) that had the cores alone, or all of them if none had.
  std::vector<double> seconds(std::size_t first, std::size_t end) const {
    std::vector<double> kept, all;
    for (std::size_t i = first; i < end; ++i) {
      all.push_back(seconds(i));
      if (alone(i)) kept.push_back(seconds(i));
    }
    return kept.empty() ? all : kept;
  }

 private:
  struct Sample {
    double seconds;  // per call
    double issue_rate;
    bool whole;
  };

  double look() { return on_pool_ ? cores_->rate() : cores_->rate_of_caller(); }

  double time_calls() {
    if (prepare_ != nullptr) (*prepare_)();  // then calls_ is 1
    const double begin = now();
    for (int i = 0; i < calls_; ++i) (*run_)();
    return now() - begin;
  }

  const std::function<void()>* run_;
  const std::function<void()>* prepare_;  // or null
  CoreWatch* cores_;
  bool on_pool_;
  int calls_ = 1;
  std::vector<Sample> samples_;
};

// Sample `own` of the work, and of each roof the samples [first, end) beside it.
struct Turn {
  std::size_t own = 0;
  std::vector<std::pair<std::size_t, std::size_t>> roofs;
};

// Roofs and work in alternation, now the one first, now the other: at least `seconds` and `least` samples of
// the work, and more of both where the cores are shared. Beside long work a roof gets several samples, so
// that it does not hang on half a millisecond.
void alternate(std::vector<Timed>& roofs, Timed& own, double seconds, std::size_t least,
               std::vector<Turn>& turns) {
  double spent = 0, last = 0;
  const auto sample_roofs = [&](Turn& turn) {
    for (Timed& roof : roofs) {
      const std::size_t first = roof.samples();
      double roof_spent = roof.sample();
      while (roof_spent < kRoofPart * last) roof_spent += roof.sample();
      turn.roofs.emplace_back(first, roof.samples());
    }
  };
  const auto enough = [&](std::size_t taken) {
    if (spent < seconds || taken < least) return false;
    return spent >= kLongerWhereShared * seconds || own.part_alone() >= kLeastAlone;
  };
  for (std::size_t taken = 0; !enough(taken); ++taken) {
    Turn turn{own.samples(), {}};
    if (taken % 2 == 0) sample_roofs(turn);
    last = own.sample();
    if (taken % 2 == 1) sample_roofs(turn);
    spent += last;
    turns.push_back(std::move(turn));
  }
}

// Samples [first, end) of a rival.
using RivalBlock = std::pair<std::size_t, std::size_t>;

RivalBlock rival_block(const RivalRun& rival, Timed& timed, double seconds, bool first, std::size_t least) {
  std::this_thread::sleep_for(kPause);
  rival.select();
  if (first)
    timed.calibrate();
  else
    rival.run();  // wakes its threads
  const double begin = now();
  const std::size_t before = timed.samples();
  while (now() - begin < seconds || timed.samples() - before < least) timed.sample();
  return {before, timed.samples()};
}

// Seconds per call: the median over the blocks in which the rival had its cores; 0 if it never had.
double rival_seconds(const Timed& rival, const std::vector<RivalBlock>& blocks, double own) {
  std::vector<double> all, medians;
  for (const auto& [first, end] : blocks) medians.push_back(median(rival.seconds(first, end)));
  const double best = *std::min_element(medians.begin(), medians.end());
  if (best > kLostRival * own) return 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (medians[i] > kLostBlock * best) continue;
    const std::vector<double> block = rival.seconds(blocks[i].first, blocks[i].second);
    all.insert(all.end(), block.begin(), block.end());
  }
  return median(all);
}

// Sets the roof that binds and the work's share of it.
void hold_against_roofs(const KernelWork& work, const Timed& own, const std::vector<Timed>& roofs,
                        const std::vector<Turn>& turns, Measurement& result) {
  std::vector<double> shares, all;
  std::vector<std::vector<double>> needs(roofs.size());  // seconds that each roof asks for
  for (const Turn& turn : turns) {
    bool alone = own.alone(turn.own);
    double least = 0;
    for (std::size_t i = 0; i < roofs.size(); ++i) {
      const Roof& roof = work.roofs[i];
      const auto [first, end] = turn.roofs[i];
      for (std::size_t at = first; at < end; ++at) alone = alone && roofs[i].alone(at);
      const auto needed = static_cast<double>(roof.flops ? work.cost.flops : work.cost.bytes);
      needs[i].push_back(needed / roof.amount * median(roofs[i].seconds(first, end)));
      least = std::max(least, needs[i].back());
    }
    all.push_back(least / own.seconds(turn.own));
    if (alone) shares.push_back(all.back());
  }
  result.alone = static_cast<double>(shares.size()) / static_cast<double>(all.size());
  result.share = median(shares.empty() ? all : shares);
  double slowest = 0;
  for (std::size_t i = 0; i < roofs.size(); ++i) {
    const double seconds = median(needs[i]);
    if (seconds <= slowest) continue;
    slowest = seconds;
    result.roof = work.roofs[i].name;
  }
}

Measurement attempt(const KernelWork& work, CoreWatch& cores, double seconds) {
  const ForeignCpu foreign;
  Timed own(work.run, work.prepare ? &work.prepare : nullptr, cores, true);
  std::vector<Timed> roofs, rivals;
  for (const Roof& roof : work.roofs) roofs.emplace_back(roof.run, nullptr, cores, true);
  for (const RivalRun& rival : work.rivals) rivals.emplace_back(rival.run, nullptr, cores, false);
  own.calibrate();
  for (Timed& roof : roofs) roof.calibrate();
  const std::size_t least = (kLeastSamples + kRounds - 1) / kRounds;
  std::vector<Turn> turns;
  std::vector<std::vector<RivalBlock>> blocks(rivals.size());
  for (int round = 0; round < kRounds; ++round) {
    alternate(roofs, own, seconds / kRounds, least, turns);
    for (std::size_t i = 0; i < rivals.size(); ++i)
      blocks[i].push_back(rival_block(work.rivals[i], rivals[i], seconds / kRounds / 2, round == 0, least));
    if (!rivals.empty()) std::this_thread::sleep_for(kPause);
  }
  Measurement result;
  const std::vector<double> seconds_per_run = own.seconds(0, own.samples());
  result.seconds = median(seconds_per_run);
  result.alone = own.part_alone();
  result.spread = median_deviation(seconds_per_run) / result.seconds;
  if (!roofs.empty()) hold_against_roofs(work, own, roofs, turns, result);
  for (std::size_t i = 0; i < rivals.size(); ++i)
    if (const double taken = rival_seconds(rivals[i], blocks[i], result.seconds); taken > 0)
      result.rival_seconds.emplace_back(work.rivals[i].name, taken);
  result.foreign_share = foreign.share();
  result.disturbed = foreign.disturbed();
  return result;
}

// Repeats what was disturbed, and keeps the least disturbed.
Measurement undisturbed(const KernelWork& work, CoreWatch& cores, double seconds) {
  Measurement best = attempt(work, cores, seconds);
  for (int i = 1; i < kAttempts && best.disturbed; ++i) {
    const Measurement again = attempt(work, cores, seconds);
    if (again.foreign_share < best.foreign_share) best = again;
  }
  return best;
}

// CPU time of all CPUs that was not idle, with what the hypervisor took; 0 where the system does not say.
double busy_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  file >> word;
  double ticks = 0, value = 0;
  for (int i = 0; i < 8 && file >> value; ++i)
    if (i != 3 && i != 4) ticks += value;  // idle and iowait
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

Measurement measure(const KernelWork& work, CoreWatch& cores, double seconds) {
  Measurement first = undisturbed(work, cores, seconds);
  if (first.share <= 1) return first;
  return undisturbed(work, cores, kLongerAboveRoof * seconds);
}

ForeignCpu::ForeignCpu() : busy_(busy_seconds()), own_(seconds_of(CLOCK_PROCESS_CPUTIME_ID)), wall_(now()) {}

double ForeignCpu::excess_seconds() const {
  return busy_seconds() - busy_ - (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - own_);
}

double ForeignCpu::share() const {
  const double capacity = (now() - wall_) * static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(0.0, excess_seconds() / std::max(capacity, 1e-9));
}

bool ForeignCpu::disturbed() const {
  constexpr double kTicks = 0.02;
  return share() > kMostForeign && excess_seconds() > kTicks;
}

}  // namespace smallmind
