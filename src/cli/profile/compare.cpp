// smallmind profile compare: what became faster or slower between two recordings, or two sets of them.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "cli/profile/subcommand.h"
#include "profiler/compare_report.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string before, after, fail_above;
  std::size_t top = 10;
  bool json = false, markdown = false;
};

// The recordings of a side: one file, or all of a directory in the order of their names.
std::vector<RunSamples> load_side(const std::string& path) {
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".smprof") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    if (files.empty()) fail_input("[compare] recordings (*.smprof) expected, {} has none", path);
  } else {
    files.emplace_back(path);
  }
  std::vector<RunSamples> runs;
  for (const fs::path& file : files) runs.push_back(run_samples(Recording::open(file)));
  return runs;
}

// "5%" or "5": per cent.
double parse_limit(const std::string& text) {
  std::size_t used = 0;
  double value = -1;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || (text.substr(used) != "%" && !text.substr(used).empty()) || !(value >= 0))
    fail_usage("[compare] per cent like 5% expected, --fail-above has \"{}\"", text);
  return value / 100;
}

void compare(const Arguments& arguments) {
  const double limit = arguments.fail_above.empty() ? -1 : parse_limit(arguments.fail_above);
  const Comparison comparison = compare_runs(load_side(arguments.before), load_side(arguments.after));
  const CompareReportOptions options{arguments.before, arguments.after, arguments.top};
  print_out(arguments.json       ? compare_json(comparison, options)
            : arguments.markdown ? compare_markdown(comparison, options)
                                 : compare_text(comparison, options));
  const double worst = worst_slow_down(comparison);
  if (limit >= 0 && worst > limit)
    fail_input("[compare] no operation slower by more than {} expected, one is by {:.1f} %",
               arguments.fail_above, 100 * worst);
}

}  // namespace

void add_profile_compare(CLI::App& profile, const CliContext&) {
  CLI::App* command = profile.add_subcommand(
      "compare", "What became faster or slower between two recordings, beyond their own spread");
  const auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("before", arguments->before, "A recording, or a directory of recordings of separate runs")
      ->required()
      ->check(CLI::ExistingPath);
  command
      ->add_option("after", arguments->after,
                   "The same of the other side; as many runs as before are taken as pairs")
      ->required()
      ->check(CLI::ExistingPath);
  command->add_option("--top", arguments->top, "Operations per table")->capture_default_str();
  command->add_option(
      "--fail-above", arguments->fail_above,
      "Exit with status 2 when an operation is significantly slower by more than this, e.g. 5%");
  CLI::Option* json = command->add_flag("--json", arguments->json, "One JSON document on standard output");
  command->add_flag("--markdown", arguments->markdown, "Markdown on standard output")->excludes(json);
  command->callback([arguments] { compare(*arguments); });
}

}  // namespace smallmind
