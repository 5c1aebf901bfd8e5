// The options of commands that show a recording, and the showing.
#pragma once

#include "cli/command.h"
#include "profiler/report/render.h"

namespace smallmind {

// Options of a report, filled by CLI11.
struct ReportArguments {
  std::string format = "text";
  std::string out;  // empty: standard output
  ReportOptions options;
};

// Adds --format, --out, --top, --by-layer and --by-shape; `arguments` outlives the command.
void add_report_options(CLI::App& command, ReportArguments& arguments);

// Renders as asked for: to the file, or to standard output.
void print_report(const Recording& recording, const ReportArguments& arguments);

}  // namespace smallmind
