// smallmind profile report FILE: a recording as tables, a page or a trace.
#include "cli/profile_report.h"

#include <memory>

namespace smallmind {

void add_profile_report(CLI::App& profile, const CliContext&) {
  struct Arguments : ReportArguments {
    std::string file;
  };
  CLI::App* command = profile.add_subcommand("report", "Show a recording as tables, a page or a trace");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("file", arguments->file, "A recording (.smprof)")->required()->check(CLI::ExistingFile);
  add_report_options(*command, *arguments);
  command->callback([arguments] { print_report(Recording::open(arguments->file), *arguments); });
}

}  // namespace smallmind
