// smallmind profile standard, deep, ...: the reference workloads.
#include "cli/profile_show.h"

namespace smallmind {

void add_profile_workloads(CLI::App& profile, const CliContext& context) {
  for (const Workload& workload : workloads()) {
    CLI::App* command = profile.add_subcommand(workload.name, workload.what);
    const auto arguments = std::make_shared<ProfileArguments>();
    add_profile_options(*command, *arguments);
    command->callback([&workload, arguments, &context] {
      ThreadPool pool(context.thread_count());
      profile_and_show(workload.name, workload.what, workload.run, pool, *arguments, context);
    });
  }
}

}  // namespace smallmind
