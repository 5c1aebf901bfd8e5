// See profile_report.h.
#include "cli/profile_report.h"

namespace smallmind {

void add_report_options(CLI::App& command, ReportArguments& arguments) {
  command
      .add_option(
          "--format", arguments.format,
          "text, markdown, json, html (one page, no network), trace (ui.perfetto.dev), folded (flame graphs)")
      ->check(CLI::IsMember({"text", "markdown", "json", "html", "trace", "folded"}))
      ->capture_default_str();
  command.add_option("--out", arguments.out, "The report's file (default: standard output)");
  command.add_option("--top", arguments.options.top, "Rows per table of text and Markdown")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command.add_flag("--by-layer", arguments.options.by_layer, "One row per layer");
  command.add_flag("--by-shape", arguments.options.by_shape, "One row per shape");
}

void print_report(const Recording& recording, const ReportArguments& arguments) {
  const ReportFormat format = parse_report_format(arguments.format);
  if (arguments.out.empty())
    render_report(recording, format, arguments.options, print_out);
  else
    write_report(recording, format, arguments.options, arguments.out);
}

}  // namespace smallmind
