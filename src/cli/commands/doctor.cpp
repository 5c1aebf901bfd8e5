// smallmind doctor: what the machine is, what of it we may use, and what it can do at most.
// --json prints one document; its keys threads, isa, fma_gflops and read_gbps (from memory, all threads) are
// the short answer.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "machine/report.h"
#include "machine/roofline.h"
#include "profiler/report/roof.h"

namespace smallmind {
namespace {

using nlohmann::json;

struct DoctorOptions {
  bool json = false;
  bool fresh = false;
};

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json document(const MachineReport& report, const Roofline& roofline) {
  return {{"threads", roofline.threads},
          {"threads_reason", explain_threads(report.threads)},
          {"isa", report.isa},
          {"fma_gflops", roofline.fma_gflops(roofline.threads)},
          {"read_gbps", roofline.bandwidths.back().read},
          {"cpu", report.cpu},
          {"features", report.features.to_string()},
          {"caches", {{"l1d", report.caches.l1d}, {"l2", report.caches.l2}, {"l3", report.caches.l3}}},
          {"limits",
           {{"affinity_cpus", report.threads.affinity_cpus},
            {"cpuset_cpus", report.threads.cpuset_cpus},
            {"physical_cores", report.threads.physical_cores},
            {"quota_cores", report.threads.quota_cores},
            {"cgroup_memory", or_null(report.memory.cgroup)},
            {"address_space", or_null(report.memory.address_space)},
            {"available_memory", or_null(report.memory.available)}}},
          {"huge_pages", report.huge_pages},
          {"roofline", json::parse(roofline_section(roofline))}};
}

void run_doctor(const DoctorOptions& options, const CliContext& context) {
  const MachineReport report = inspect_machine();
  if (!options.json) print_out(report_text(report));
  const Roofline roofline = machine_roofline(context.thread_count(), options.fresh);
  print_out(options.json ? json_text(document(report, roofline), 2) + "\n" : roofline_text(roofline));
}

}  // namespace

void add_doctor(CLI::App& app, const CliContext& context) {
  CLI::App* command = app.add_subcommand("doctor", "Show the CPU, its limits and its measured roofline");
  auto options = std::make_shared<DoctorOptions>();
  command->add_flag("--json", options->json, "One JSON document instead of text");
  command->add_flag("--fresh", options->fresh, "Measure anew instead of using the cached roofline");
  command->callback([options, &context] { run_doctor(*options, context); });
}

}  // namespace smallmind
