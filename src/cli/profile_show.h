// What the subcommands of `smallmind profile` that measure share: their options, recording, and showing.
#pragma once

#include <string>

#include "cli/command.h"
#include "profiler/workload_report.h"

namespace smallmind {

// What all of them can be told.
struct ProfileArguments {
  std::string out;       // the recording; empty: none is kept
  double seconds = 1.0;  // per part
  int repeats = 0;       // 0: as many as fit into the seconds, at least 5
  std::uint64_t seed = 1;
  bool json = false;
};
void add_profile_options(CLI::App& command, ProfileArguments& arguments);

WorkloadOptions workload_options(const ProfileArguments& arguments, const CliContext& context);

// Records the body, shows its figures and where the time went. Ctrl-C ends it after the present repeat, and
// what was measured until then is shown.
void profile_and_show(std::string_view name, std::string_view what, const WorkloadBody& body,
                      ThreadPool& pool, const ProfileArguments& arguments, const CliContext& context);

}  // namespace smallmind
