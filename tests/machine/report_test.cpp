// The report's words.
#include "machine/report.h"

#include <gtest/gtest.h>

namespace smallmind {
namespace {

TEST(MachineReport, ExplainsTheThreads) {
  EXPECT_EQ(explain_threads({.affinity_cpus = 1, .physical_cores = 1}), "1 physical core, no CPU quota");
  EXPECT_EQ(explain_threads({.affinity_cpus = 8, .physical_cores = 4}),
            "4 physical cores in 8 allowed CPUs, no CPU quota");
  EXPECT_EQ(
      explain_threads({.affinity_cpus = 2, .physical_cores = 2, .quota_cores = 1.5, .quota_source = "/f"}),
      "2 physical cores, a quota of 1.50 cores (/f)");
}

TEST(MachineReport, WritesBytesInTheUnitThatFits) {
  EXPECT_EQ(bytes_text(0), "unknown");
  EXPECT_EQ(bytes_text(48 << 10), "48 KiB");
  EXPECT_EQ(bytes_text(32 << 20), "32.0 MiB");
  EXPECT_EQ(bytes_text(std::int64_t{24} << 30), "24.0 GiB");
}

TEST(MachineReport, DescribesThisMachine) {
  const MachineReport report = inspect_machine();
  EXPECT_GE(report.threads.threads, 1);
  EXPECT_NE(report.isas.find(report.isa), std::string::npos);
  const std::string text = report_text(report);
  for (const char* key : {"CPU", "caches", "threads", "memory", "kernels"})
    EXPECT_NE(text.find(key), std::string::npos) << text;
}

}  // namespace
}  // namespace smallmind
