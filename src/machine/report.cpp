// The machine in words; see report.h.
#include "machine/report.h"

#include <fmt/core.h>

#include "kernels/dispatch.h"

namespace smallmind {
namespace {

// "always [madvise] never" -> "madvise"
std::string bracketed(const std::string& text) {
  const std::size_t open = text.find('['), close = text.find(']');
  return open == std::string::npos || close == std::string::npos ? ""
                                                                 : text.substr(open + 1, close - open - 1);
}

}  // namespace

MachineReport inspect_machine() {
  MachineReport report;
  report.cpu = cpu_model();
  report.features = cpu_features();
  report.caches = cache_sizes();
  report.threads = thread_limits();
  report.memory = memory_limits();
  report.isa = kernels().isa;
  for (const std::string_view isa : available_isas())
    report.isas += (report.isas.empty() ? "" : " ") + std::string(isa);
  report.huge_pages = bracketed(read_small_file("/sys/kernel/mm/transparent_hugepage/enabled"));
  return report;
}

std::string explain_threads(const ThreadLimits& limits) {
  std::string text =
      fmt::format("{} physical core{}", limits.physical_cores, limits.physical_cores == 1 ? "" : "s");
  if (limits.physical_cores != limits.affinity_cpus)
    text += fmt::format(" in {} allowed CPUs", limits.affinity_cpus);
  if (limits.quota_cores == 0) return text + ", no CPU quota";
  return text + fmt::format(", a quota of {:.2f} cores ({})", limits.quota_cores, limits.quota_source);
}

std::string bytes_text(std::int64_t bytes) {
  if (bytes <= 0) return "unknown";
  const auto b = static_cast<double>(bytes);
  if (bytes >= std::int64_t{1} << 30) return fmt::format("{:.1f} GiB", b / (1 << 30));
  return bytes >= 1 << 20 ? fmt::format("{:.1f} MiB", b / (1 << 20))
                          : fmt::format("{:.0f} KiB", b / (1 << 10));
}

std::string report_text(const MachineReport& r) {
  const auto limit = [](const std::optional<std::int64_t>& bytes) {
    return bytes ? bytes_text(*bytes) : "none";
  };
  std::string out;
  const auto line = [&](std::string_view key, const std::string& value) {
    out += fmt::format("{:<14}{}\n", key, value);
  };
  line("CPU", r.cpu);
  line("features", r.features.to_string());
  line("caches", fmt::format("L1d {}, L2 {}, L3 {} shared by {} CPUs", bytes_text(r.caches.l1d),
                             bytes_text(r.caches.l2), bytes_text(r.caches.l3), r.caches.l3_cpus));
  line("threads", fmt::format("{}: {}", r.threads.threads, explain_threads(r.threads)));
  line("memory", fmt::format("{} total, {} available", bytes_text(r.memory.total.value_or(0)),
                             bytes_text(r.memory.available.value_or(0))));
  line("limits", fmt::format("cgroup {}{}, address space {}", limit(r.memory.cgroup),
                             r.memory.cgroup ? " (" + r.memory.cgroup_source + ")" : "",
                             limit(r.memory.address_space)));
  line("huge pages", r.huge_pages.empty() ? "unknown" : r.huge_pages);
  line("kernels", fmt::format("{} (this CPU runs {})", r.isa, r.isas));
  return out;
}

}  // namespace smallmind
