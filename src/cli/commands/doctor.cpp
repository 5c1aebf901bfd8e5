// smallmind doctor: what the machine is, what of it we may use, and what it can do at most.
#include "cli/command.h"
#include "machine/report.h"

namespace smallmind {

void add_doctor(CLI::App& app, const CliContext&) {
  CLI::App* command = app.add_subcommand("doctor", "Show the CPU, its limits and its measured roofline");
  command->callback([] { print_out(report_text(inspect_machine())); });
}

}  // namespace smallmind
