// Thread and memory limits on recorded trees of /proc and /sys: v1, v2, hybrid, nested, containers, SMT.
#include "base/cgroup.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

std::vector<int> cpus(int count) {
  std::vector<int> list(static_cast<std::size_t>(count));
  std::iota(list.begin(), list.end(), 0);
  return list;
}

class Cgroup : public testing::Test {
 protected:
  // cpus without SMT: every CPU is a core of its own
  void write_cores(int count, int siblings = 1) {
    for (int cpu = 0; cpu < count; ++cpu) {
      const int cores = count / siblings;
      std::string list = std::to_string(cpu % cores);
      for (int s = 1; s < siblings; ++s) list += "," + std::to_string(cpu % cores + s * cores);
      tree.write("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
                 list + "\n");
    }
  }
  void write_v2(std::string_view path) {
    tree.write("proc/self/cgroup", "0::" + std::string(path) + "\n");
    tree.write("proc/self/mountinfo",
               "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  }
  void write_v1(std::string_view path) {
    const std::string p(path);
    tree.write("proc/self/cgroup",
               "5:memory:" + p + "\n4:cpu,cpuacct:" + p + "\n3:cpuset:" + p + "\n1:name=systemd:/\n");
    tree.write("proc/self/mountinfo",
               "33 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct\n"
               "34 25 0:29 / /sys/fs/cgroup/memory rw shared:12 - cgroup cgroup rw,memory\n"
               "35 25 0:30 / /sys/fs/cgroup/cpuset rw shared:13 - cgroup cgroup rw,cpuset\n");
  }
  int threads(int affinity) { return available_threads(tree.path(), cpus(affinity)); }

  TempFolder tree;
};

TEST_F(Cgroup, NoCgroupsMeansTheMask) {
  EXPECT_EQ(threads(6), 6);
  EXPECT_EQ(available_threads(tree.path(), std::vector<int>{3}), 1);
}

TEST_F(Cgroup, V2Quota) {
  write_v2("/app");
  const std::pair<const char*, int> cases[] = {
      {"max 100000\n", 8},     {"400000 100000\n", 4}, {"150000 100000\n", 1}, {"50000 100000\n", 1},
      {"1600000 100000\n", 8}, {"250000 50000\n", 5},  {"nonsense\n", 8},      {"", 8},
      {"-1 100000\n", 8},      {"100000 0\n", 8}};
  for (const auto& [text, expected] : cases) {
    tree.write("sys/fs/cgroup/app/cpu.max", text);
    EXPECT_EQ(threads(8), expected) << text;
  }
}

TEST_F(Cgroup, V2NestedTakesTheMinimumOverAllAncestors) {
  write_v2("/slice/pod/app");
  tree.write("sys/fs/cgroup/slice/cpu.max", "300000 100000\n");
  tree.write("sys/fs/cgroup/slice/pod/cpu.max", "max 100000\n");
  tree.write("sys/fs/cgroup/slice/pod/app/cpu.max", "600000 100000\n");
  const ThreadLimits limits = thread_limits(tree.path(), cpus(16));
  EXPECT_EQ(limits.threads, 3);
  EXPECT_DOUBLE_EQ(limits.quota_cores, 3.0);
  EXPECT_EQ(limits.quota_source, "/sys/fs/cgroup/slice/cpu.max");
}

TEST_F(Cgroup, V2NamespaceHidesTheHostsPath) {
  // In a container with its own namespace the path is "/" and the limits lie at the mount point.
  write_v2("/");
  tree.write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(threads(8), 2);
  tree.write("proc/self/cgroup", "0::/../../other\n");
  EXPECT_EQ(threads(8), 2);
}

TEST_F(Cgroup, V1QuotaOfAContainerWithTheHostsPath) {
  // /proc/self/cgroup names the host's path, and only its end is mounted.
  tree.write("proc/self/cgroup", "4:cpu,cpuacct:/docker/0123\n");
  tree.write("proc/self/mountinfo",
             "33 25 0:28 /docker/0123 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n");
  tree.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n");
  tree.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(threads(8), 1);
}

TEST_F(Cgroup, V1NestedQuotaAndNone) {
  write_v1("/a/b");
  tree.write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "500000\n");
  tree.write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  tree.write("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
  tree.write("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(threads(8), 5);
  tree.write("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "50000\n");
  EXPECT_EQ(threads(8), 1);
}

TEST_F(Cgroup, CpusetsNarrowTheMask) {
  write_v1("/set");
  tree.write("sys/fs/cgroup/cpuset/cpuset.cpus", "0-15\n");
  tree.write("sys/fs/cgroup/cpuset/set/cpuset.cpus", "0-3,9\n");
  EXPECT_EQ(threads(16), 5);
  EXPECT_EQ(threads(2), 2);
  tree.write("sys/fs/cgroup/cpuset/set/cpuset.cpus", "\n");
  EXPECT_EQ(threads(16), 16);

  TempFolder other;
  other.write("proc/self/cgroup", "0::/x\n");  // no mount table: the usual place
  other.write("sys/fs/cgroup/x/cpuset.cpus.effective", "0-3\n");
  EXPECT_EQ(available_threads(other.path(), cpus(8)), 4);
}

TEST_F(Cgroup, SmtSiblingsCountOnce) {
  write_cores(16, 2);
  EXPECT_EQ(threads(16), 8);
  EXPECT_EQ(available_threads(tree.path(), std::vector<int>{0, 8}), 1);
  EXPECT_EQ(available_threads(tree.path(), std::vector<int>{0, 1, 9}), 2);
}

TEST_F(Cgroup, HybridSystemsTakeBoth) {
  tree.write("proc/self/cgroup", "3:cpu:/\n0::/user\n");
  tree.write("proc/self/mountinfo",
             "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
             "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  tree.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "700000\n");
  tree.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(threads(8), 7);
  tree.write("sys/fs/cgroup/unified/user/cpu.max", "250000 100000\n");
  EXPECT_EQ(threads(8), 2);
}

TEST_F(Cgroup, MemoryTakesTheSmallest) {
  write_v2("/a/b");
  tree.write("proc/meminfo", "MemTotal:       16000000 kB\nMemFree:  5 kB\nMemAvailable:   12000000 kB\n");
  tree.write("sys/fs/cgroup/a/memory.max", "max\n");
  EXPECT_EQ(memory_limits(tree.path(), std::int64_t{1} << 62).usable(), 12000000ll * 1024);
  tree.write("sys/fs/cgroup/a/memory.max", "8589934592\n");
  tree.write("sys/fs/cgroup/a/b/memory.max", "max\n");
  const MemoryLimits limits = memory_limits(tree.path(), std::nullopt);
  EXPECT_EQ(limits.cgroup, 8589934592ll);
  EXPECT_EQ(limits.cgroup_source, "/sys/fs/cgroup/a/memory.max");
  EXPECT_EQ(limits.total, 16000000ll * 1024);
  EXPECT_EQ(memory_limits(tree.path(), 1 << 20).usable(), 1 << 20);
}

TEST_F(Cgroup, V1MemoryWithoutALimitIsNoLimit) {
  write_v1("/a");
  tree.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_FALSE(memory_limits(tree.path()).cgroup.has_value());
  tree.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  EXPECT_EQ(memory_limits(tree.path()).cgroup, 1073741824);
}

TEST(CgroupLive, ThisProcess) {
  const ThreadLimits limits = thread_limits();
  EXPECT_GE(limits.threads, 1);
  EXPECT_LE(limits.threads, limits.affinity_cpus);
  EXPECT_EQ(static_cast<std::size_t>(limits.affinity_cpus), process_affinity().size());
  EXPECT_TRUE(memory_limits().total.has_value());
}

TEST(CpuList, Parses) {
  EXPECT_EQ(parse_cpu_list("0-2,8,10-11"), (std::vector<int>{0, 1, 2, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list("5"), std::vector<int>{5});
  for (const char* bad : {"", "a", "3-1", "1,,2", "-1", "0-99999999", "1-", "99999999999999999999"})
    EXPECT_TRUE(parse_cpu_list(bad).empty()) << bad;
}

}  // namespace
}  // namespace smallmind
