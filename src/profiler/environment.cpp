// See environment.h.
#include "profiler/environment.h"

#include <sys/utsname.h>
#include <time.h>

#include <nlohmann/json.hpp>

#include "base/cgroup.h"
#include "base/json.h"
#include "machine/clock.h"
#include "machine/report.h"

namespace smallmind {
namespace {

std::string utc_now() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

std::string environment_json(std::string_view version, std::string_view commit, int threads) {
  const MachineReport machine = inspect_machine();
  nlohmann::ordered_json object = {
      {"cpu", machine.cpu},
      {"features", machine.features.to_string()},
      {"isa", machine.isa},
      {"l1d_bytes", machine.caches.l1d},
      {"l2_bytes", machine.caches.l2},
      {"l3_bytes", machine.caches.l3},
      {"threads", threads},
      {"threads_why", explain_threads(machine.threads)},
      {"quota_cores", machine.threads.quota_cores},
      {"memory_bytes", machine.memory.usable().value_or(0)},
  };
  const auto add = [&](const char* key, const std::string& text) {
    if (!text.empty()) object[key] = text;
  };
  const std::string governor = read_small_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  add("governor", governor.empty() ? "unknown: the system has no cpufreq" : governor);
  if (const double clock = measured_clock_ghz(); clock > 0) object["clock_ghz"] = clock;
  add("cgroup_memory_limit", machine.memory.cgroup ? bytes_text(*machine.memory.cgroup) : "none");
  add("cgroup_memory_source", machine.memory.cgroup_source);
  add("cgroup_quota_source", machine.threads.quota_source);
  add("huge_pages", machine.huge_pages);
  utsname system{};
  if (uname(&system) == 0)
    add("system", std::string(system.sysname) + " " + system.release + " " + system.machine);
  add("host_load", read_small_file("/proc/loadavg"));
#if defined(__VERSION__)
  add("compiler", __VERSION__);
#endif
#if defined(NDEBUG)
  add("build", "release");
#else
  add("build", "debug");
#endif
  add("flags", SM_BUILD_FLAGS);
  add("version", std::string(version));
  add("commit", std::string(commit));
  add("time", utc_now());
  return object.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace smallmind
