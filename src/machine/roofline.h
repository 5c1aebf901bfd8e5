// What this machine can do at most, measured: FMA throughput and memory bandwidth by footprint, for 1 and for
// all threads.
//
// Peaks come from running, not from data sheets: the kernel table's own vectors, plain loads and stores, huge
// pages, the threads and the cgroup that the real work gets. Four streams, because their roofs differ: read
// (sum of an array, in the fastest of three ways), copy (1 read, 1 write), update (in place) and add (2
// reads, 1 write). Bytes are those that the program reads and writes; the line that a plain store to memory
// fetches first is not counted. Each number is the median of its samples. A sample during which another
// program took a thread's core (its CPU time is under 97 % of the wall time) is void and repeated; where too
// few are left, the roofline is marked as disturbed: it is too low, and is not cached. Not measured: latency,
// NUMA distance, other stores than plain ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace smallmind {

enum class Stream { read, copy, update, add };
enum class MemoryLevel { l2, l3, memory };

const char* level_name(MemoryLevel level) noexcept;  // "L2", "L3", "memory"

struct BandwidthRoof {
  MemoryLevel level = MemoryLevel::memory;
  int threads = 1;
  std::int64_t footprint = 0;                      // bytes of all arrays of all threads together
  double read = 0, copy = 0, update = 0, add = 0;  // GB/s = 1e9 bytes per second
};

struct ComputeRoof {
  int threads = 1;
  double gflops = 0;  // f32, a multiply-add counts 2
};

struct Roofline {
  std::string isa;
  int threads = 1;                        // "all"
  bool disturbed = false;                 // other programs took our cores while we measured
  std::vector<ComputeRoof> compute;       // 1 and all threads
  std::vector<BandwidthRoof> bandwidths;  // level by level, 1 and all threads each

  // For the thread count nearest to `threads_used` that was measured.
  double fma_gflops(int threads_used) const;
  // The level in which `footprint` bytes fit for that many threads.
  const BandwidthRoof& bandwidth(std::int64_t footprint, int threads_used) const;
  double read_gbps(std::int64_t footprint, int threads_used) const {
    return bandwidth(footprint, threads_used).read;
  }

  CacheSizes caches;
};

// How long to measure: good samples per number, the length of one, and how many times as long as undisturbed
// to try.
struct RooflineEffort {
  int samples = 31;
  double sample_seconds = 0.0003;  // short enough to fit between two visits of a neighbour
  int patience = 30;
};

// A measured rate in 1e9 per second.
struct MeasuredRate {
  double value = 0;
  bool disturbed = false;
};

// Measures with all threads of the pool, about 0.5 s with the default effort and 8 s on a busy machine. The
// largest footprint is 4 x the L3 of all cores, at least 64 MiB, at most 1 GiB and an eighth of the usable
// memory. Not thread-safe (it runs the pool).
Roofline measure_roofline(ThreadPool& pool, const KernelTable& table, const CacheSizes& caches,
                          const RooflineEffort& effort = {});

// One number, for a benchmark that wants the roof of its own footprint beside its own samples: GB/s of a
// stream over `footprint` bytes (all arrays, all threads of the pool together).
MeasuredRate measure_bandwidth(ThreadPool& pool, const KernelTable& table, Stream stream,
                               std::int64_t footprint, const RooflineEffort& effort = {});

// f32 GFLOP/s of independent multiply-adds on all threads of the pool.
MeasuredRate measure_fma(ThreadPool& pool, const KernelTable& table, const RooflineEffort& effort = {});

// The roofline of this CPU, cgroup, thread count and kernel table: from the cache file if there is a sound
// one, else measured and written there (whole or not at all; failing to write is no error). fresh: measure
// anew.
Roofline machine_roofline(int threads, bool fresh = false);

// The text that tells machines apart, and the cache as functions of it. directory is created when needed.
std::string roofline_key(int threads, const std::string& isa);
std::optional<Roofline> load_roofline(const std::filesystem::path& directory, const std::string& key);
void save_roofline(const std::filesystem::path& directory, const std::string& key, const Roofline& roofline);
// Deletes it, if it is there: for a roof that something exceeded.
void forget_roofline(const std::filesystem::path& directory, const std::string& key) noexcept;

// $XDG_CACHE_HOME/smallmind, else $HOME/.cache/smallmind, else nothing.
std::optional<std::filesystem::path> cache_directory();

// The roofline as a table for people.
std::string roofline_text(const Roofline& roofline);

}  // namespace smallmind
