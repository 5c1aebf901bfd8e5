// The measuring; see roofline.h.
#include "machine/roofline.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/cgroup.h"
#include "base/error.h"
#include "tensor/buffer.h"

namespace smallmind {
namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr Index kLineFloats = 16;
// Arrays that lie a multiple of 4 KiB apart make loads wait for older stores to the same page offset; 19
// lines keep them apart.
constexpr std::int64_t kSkewBytes = 19 * 64;
constexpr Index kChunkFloats = 1 << 16;  // 256 KiB of each array: some 5 us from L2, 20 us from memory
constexpr double kLeastCpuShare = 0.97;  // of a sample's time that each thread must have had its core
constexpr double kLeastOverlap = 0.97;   // of a sample's time that the slowest thread must have worked

struct StreamShape {
  int arrays;          // of n floats each
  double bytes_moved;  // per element and pass
};

constexpr StreamShape shape_of(Stream stream) {
  switch (stream) {
    case Stream::read:
      return {1, 4};
    case Stream::copy:
      return {2, 8};
    case Stream::update:
      return {1, 8};
    case Stream::add:
      return {3, 12};
  }
  return {1, 4};
}

void pass(const KernelTable& table, Stream stream, float* const arrays[3], Index n) {
  switch (stream) {
    case Stream::read: {
      volatile float sink = table.stream_read(arrays[0], n);
      static_cast<void>(sink);
      return;
    }
    case Stream::copy:
      return table.stream_copy(arrays[0], n, arrays[1]);
    case Stream::update:
      return table.stream_update(arrays[0], n);
    case Stream::add:
      return table.stream_add(arrays[0], arrays[1], n, arrays[2]);
  }
}

double median(std::vector<double> samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// One thread's part of a sample, on a line of its own.
struct alignas(64) Part {
  double begin = 0, end = 0, cpu = 0, done = 0;
};

struct Sample {
  double rate = 0;
  double cpu_seconds = 0;  // of the busiest thread
  bool good = true;        // nobody took a core from us
};

// Runs work(thread) once on all threads; all start together. What it returns, the work done, is summed.
template <class Work>
Sample take_sample(ThreadPool& pool, std::vector<Part>& parts, Work& work) {
  pool.run([&](int thread) {
    Part& part = parts[static_cast<std::size_t>(thread)];
    pool.barrier(thread);
    part.begin = now();
    const double cpu = thread_cpu_seconds();
    part.done = work(thread);
    part.cpu = thread_cpu_seconds() - cpu;
    part.end = now();
  });
  Sample sample;
  double begin = parts[0].begin, end = parts[0].end, longest = 0, done = 0;
  for (const Part& part : parts) {
    begin = std::min(begin, part.begin);
    end = std::max(end, part.end);
    longest = std::max(longest, part.end - part.begin);
    sample.cpu_seconds = std::max(sample.cpu_seconds, part.cpu);
    done += part.done;
    sample.good &= part.cpu >= kLeastCpuShare * (part.end - part.begin);
  }
  sample.rate = done / (end - begin);
  sample.good &= longest >= kLeastOverlap * (end - begin);
  return sample;
}

// The median rate of work(thread, repeats), which returns the work done. The repeats are chosen so that a
// sample is long enough for the barrier (0.3 us) and the clocks (300 ns) not to count.
template <class Work>
MeasuredRate measure_rate(ThreadPool& pool, const RooflineEffort& effort, Work work) {
  std::vector<Part> parts(static_cast<std::size_t>(pool.size()));
  Index repeats = 1;
  auto once = [&](int thread) { return work(thread, repeats); };
  for (;;) {  // also warms caches, the page table and the clock; CPU time, as a neighbour's visit would end
              // it too soon
    const double seconds = take_sample(pool, parts, once).cpu_seconds;
    if (seconds >= effort.sample_seconds / 2) break;
    const double factor = std::clamp(effort.sample_seconds / std::max(seconds, 1e-7), 2.0, 100.0);
    repeats = static_cast<Index>(static_cast<double>(repeats) * factor);
  }
  const std::size_t wanted = static_cast<std::size_t>(std::max(1, effort.samples));
  const double deadline = now() + effort.patience * static_cast<double>(wanted) * effort.sample_seconds;
  std::vector<double> good, all;
  while (good.size() < wanted && (all.empty() || now() < deadline)) {
    const Sample sample = take_sample(pool, parts, once);
    all.push_back(sample.rate);
    if (sample.good) good.push_back(sample.rate);
  }
  const bool disturbed = 3 * good.size() < wanted;
  const double rate = good.empty() ? *std::max_element(all.begin(), all.end()) : median(good);
  return {1e-9 * rate, disturbed};
}

// Arrays for every thread in one block of huge pages, first touched by the thread that will use them. A
// thread walks through its arrays in chunks and goes on in the next sample where the last ended, so that
// samples are short even where arrays are long.
class Slices {
 public:
  Slices(ThreadPool& pool, int arrays, std::int64_t footprint) : arrays_(arrays) {
    const Index floats = std::max<Index>(footprint / (4 * arrays * pool.size()), kLineFloats);
    chunk_ = std::min(kChunkFloats, floats / kLineFloats * kLineFloats);
    n_ = floats / chunk_ * chunk_;
    stride_ = n_ * 4 + kSkewBytes;
    const std::int64_t bytes = stride_ * arrays * pool.size();
    memory_ =
        Buffer(static_cast<std::size_t>(std::max(bytes, 2 * kMiB)));  // from 2 MiB on it asks for huge pages
    places_.resize(static_cast<std::size_t>(pool.size()));
    pool.run([&](int thread) {
      for (int a = 0; a < arrays_; ++a) std::fill_n(array(thread, a), n_, 1.0f);
    });
  }

  // Runs `count` chunks of one thread; returns the elements passed.
  double run(const KernelTable& table, Stream stream, int thread, Index count) {
    Index& at = places_[static_cast<std::size_t>(thread)].at;
    for (Index c = 0; c < count; ++c) {
      float* arrays[3] = {};
      for (int a = 0; a < arrays_; ++a) arrays[a] = array(thread, a) + at;
      pass(table, stream, arrays, chunk_);
      at = at + chunk_ < n_ ? at + chunk_ : 0;
    }
    return static_cast<double>(count * chunk_);
  }

 private:
  struct alignas(64) Place {
    Index at = 0;
  };

  float* array(int thread, int a) const {
    return reinterpret_cast<float*>(memory_.data() + stride_ * (std::int64_t{thread} * arrays_ + a));
  }

  int arrays_;
  Index chunk_, n_;
  std::int64_t stride_;
  Buffer memory_;
  std::vector<Place> places_;
};

// Footprints that lie well inside each level: half of the private L2s; half of the shared L3, but twice the
// L2s at least; four times all L3s. A level that the CPU lacks or that another one hides is left out.
std::int64_t footprint_of(MemoryLevel level, int threads, const CacheSizes& caches) {
  const std::int64_t l2 = (caches.l2 > 0 ? caches.l2 : kMiB) * threads;
  const std::int64_t l3_count = caches.l3_cpus > 0 ? (threads + caches.l3_cpus - 1) / caches.l3_cpus : 1;
  const std::int64_t l3 = caches.l3 * l3_count;
  switch (level) {
    case MemoryLevel::l2:
      return l2 / 2;
    case MemoryLevel::l3:
      return l3 / 2 >= 2 * l2 ? l3 / 2 : 0;
    case MemoryLevel::memory:
      break;
  }
  const std::int64_t usable = memory_limits().usable().value_or(1024 * kMiB);
  return std::min({std::max(4 * l3, 64 * kMiB), 1024 * kMiB, std::max(usable / 8, 16 * kMiB)});
}

template <class Roofs>
const auto& nearest_threads(const Roofs& roofs, int threads) {
  SM_CHECK(!roofs.empty(), "[roofline] a measured roofline expected, an empty one found");
  const auto distance = [&](const auto& roof) { return std::abs(roof.threads - threads); };
  return *std::min_element(roofs.begin(), roofs.end(),
                           [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
}

}  // namespace

const char* level_name(MemoryLevel level) noexcept {
  return level == MemoryLevel::l2 ? "L2" : level == MemoryLevel::l3 ? "L3" : "memory";
}

MeasuredRate measure_bandwidth(ThreadPool& pool, const KernelTable& table, Stream stream,
                               std::int64_t footprint, const RooflineEffort& effort) {
  const StreamShape shape = shape_of(stream);
  Slices slices(pool, shape.arrays, footprint);
  const auto rate_with = [&](const KernelTable& streams) {
    return measure_rate(pool, effort, [&](int thread, Index repeats) {
      return shape.bytes_moved * slices.run(streams, stream, thread, repeats);
    });
  };
  MeasuredRate fastest = rate_with(table);
  if (stream != Stream::read) return fastest;
  for (const auto read : {table.stream_read_ahead, table.stream_read_quarters}) {
    KernelTable other = table;
    other.stream_read = read;
    const MeasuredRate rate = rate_with(other);
    if (rate.value > fastest.value) fastest = rate;
  }
  return fastest;
}

MeasuredRate measure_fma(ThreadPool& pool, const KernelTable& table, const RooflineEffort& effort) {
  constexpr Index kIterations = 100;  // some 0.2 us with 512-bit vectors
  return measure_rate(pool, effort,
                      [&](int, Index repeats) { return table.fma_flops(kIterations * repeats); });
}

Roofline measure_roofline(ThreadPool& pool, const KernelTable& table, const CacheSizes& caches,
                          const RooflineEffort& effort) {
  Roofline roofline;
  roofline.isa = table.isa;
  roofline.threads = pool.size();
  roofline.caches = caches;
  ThreadPool single(1);
  std::vector<ThreadPool*> pools{&single};
  if (pool.size() > 1) pools.push_back(&pool);
  const auto value = [&](const MeasuredRate& rate) {
    roofline.disturbed |= rate.disturbed;
    return rate.value;
  };
  for (ThreadPool* p : pools) roofline.compute.push_back({p->size(), value(measure_fma(*p, table, effort))});
  for (const MemoryLevel level : {MemoryLevel::l2, MemoryLevel::l3, MemoryLevel::memory}) {
    for (ThreadPool* p : pools) {
      BandwidthRoof roof{level, p->size(), footprint_of(level, p->size(), caches)};
      if (roof.footprint == 0) continue;
      const auto measure = [&](Stream s) {
        return value(measure_bandwidth(*p, table, s, roof.footprint, effort));
      };
      roof.read = measure(Stream::read);
      roof.copy = measure(Stream::copy);
      roof.update = measure(Stream::update);
      roof.add = measure(Stream::add);
      roofline.bandwidths.push_back(roof);
    }
  }
  return roofline;
}

double Roofline::fma_gflops(int threads_used) const {
  return nearest_threads(compute, threads_used).gflops;
}

const BandwidthRoof& Roofline::bandwidth(std::int64_t footprint, int threads_used) const {
  const int measured = nearest_threads(bandwidths, threads_used).threads;
  const BandwidthRoof* found = nullptr;
  for (const BandwidthRoof& roof : bandwidths) {  // levels ascend: the first that holds it, else the last
    if (roof.threads != measured) continue;
    found = &roof;
    if (roof.level != MemoryLevel::memory && footprint <= 2 * roof.footprint) break;
  }
  return *found;
}

std::string roofline_text(const Roofline& roofline) {
  std::string out = fmt::format("{:<14}", "FMA peak");
  for (const ComputeRoof& roof : roofline.compute)
    out += fmt::format("{}{:.1f} GFLOP/s with {} thread{}", &roof == roofline.compute.data() ? "" : ", ",
                       roof.gflops, roof.threads, roof.threads == 1 ? "" : "s");
  out += fmt::format("\n\n{:<9} {:>10} {:>8} {:>9} {:>9} {:>9} {:>9}   GB/s\n", "bandwidth", "footprint",
                     "threads", "read", "copy", "update", "add");
  for (const BandwidthRoof& roof : roofline.bandwidths)
    out += fmt::format("{:<9} {:>6.1f} MiB {:>8} {:>9.1f} {:>9.1f} {:>9.1f} {:>9.1f}\n",
                       level_name(roof.level), static_cast<double>(roof.footprint) / kMiB, roof.threads,
                       roof.read, roof.copy, roof.update, roof.add);
  if (roofline.disturbed)
    out += "Other programs took our cores while this was measured: the numbers are too low.\n";
  return out;
}

}  // namespace smallmind
