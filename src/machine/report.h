// What the program found out about the machine and what it decided from it; nothing is measured here (see
// roofline.h).
#pragma once

#include <string>

#include "base/cgroup.h"
#include "base/cpu.h"

namespace smallmind {

struct MachineReport {
  std::string cpu;
  CpuFeatures features;
  CacheSizes caches;
  ThreadLimits threads;
  MemoryLimits memory;
  std::string isa;   // the kernel table in use
  std::string isas;  // all tables that this CPU runs
  std::string
      huge_pages;  // the setting of transparent huge pages: "madvise", "always", "never", "" when not known
};

// Reads CPUID, /proc and /sys. Throws as kernels() does.
MachineReport inspect_machine();

// Why that many threads: "2 cores, no CPU quota" or "1.5 cores by /sys/fs/cgroup/cpu.max".
std::string explain_threads(const ThreadLimits& limits);

// "32.0 MiB"; "unknown" for 0.
std::string bytes_text(std::int64_t bytes);

// The report as lines for people.
std::string report_text(const MachineReport& report);

}  // namespace smallmind
