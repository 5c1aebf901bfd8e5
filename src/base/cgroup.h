// How many threads and how much memory this process may really use: the host's count is a lie inside a
// container.
//
// Threads = max(1, min(physical cores in mask, floor(quota))): mask = affinity within the cpusets of all
// cgroups; SMT siblings count once (two of them share the FMA units, and a barrier waits for the slower);
// quota = the smallest quota / period over the process's cgroup and its ancestors. Memory is the smallest
// limit likewise. Both cgroup versions are read, and both at once on hybrid systems: v2 cpu.max,
// cpuset.cpus.effective, memory.max; v1 cpu.cfs_quota_us / cpu.cfs_period_us, cpuset.cpus,
// memory.limit_in_bytes. What cannot be read or parsed is no limit. Source: Linux
// Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/, proc(5).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smallmind {

struct ThreadLimits {
  int affinity_cpus = 0;          // logical CPUs that the scheduler may use for us
  int cpuset_cpus = 0;            // of those, the ones in the cgroups' cpusets
  int physical_cores = 0;         // distinct cores among those
  double quota_cores = 0;         // CPU time per time; 0 = no quota
  std::string quota_source = {};  // the file that gave the quota, without the root
  int threads = 1;                // what to use
};

// root: where /proc and /sys lie, so that recorded trees can be tested; affinity: CPU numbers, the process's
// own if absent.
ThreadLimits thread_limits(const std::filesystem::path& root = "/",
                           const std::optional<std::vector<int>>& affinity = std::nullopt);

// thread_limits(...).threads
int available_threads(const std::filesystem::path& root = "/",
                      const std::optional<std::vector<int>>& affinity = std::nullopt);

struct MemoryLimits {
  // Bytes; absent = no limit or not known.
  std::optional<std::int64_t> cgroup;         // the smallest over all ancestors
  std::optional<std::int64_t> address_space;  // RLIMIT_AS
  std::optional<std::int64_t> available;      // MemAvailable of /proc/meminfo
  std::optional<std::int64_t> total;          // MemTotal
  std::string cgroup_source;                  // the file that gave `cgroup`, without the root

  // The smallest of what is known; absent when nothing is.
  std::optional<std::int64_t> usable() const;
};

// address_space: overrides RLIMIT_AS in tests.
MemoryLimits memory_limits(const std::filesystem::path& root = "/",
                           const std::optional<std::int64_t>& address_space = std::nullopt);

// The CPUs of sched_getaffinity, ascending; {0} if the system does not say.
std::vector<int> process_affinity();

// "0-3,8,10-11" -> 0 1 2 3 8 10 11, ascending and without repeats; empty when malformed or with a CPU above
// 65535.
std::vector<int> parse_cpu_list(std::string_view text);

// At most 64 KiB of a proc or sysfs file without trailing white space; empty when it cannot be read.
std::string read_small_file(const std::filesystem::path& path);

}  // namespace smallmind
