// Recording, figures and hot paths of one profiled piece of work; see profile_show.h.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "base/signal.h"
#include "base/terminal.h"
#include "cli/heap_counter.h"
#include "cli/profile_show.h"
#include "cli/version.h"
#include "kernels/dispatch.h"
#include "profiler/environment.h"
#include "profiler/report/render.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

// The recording's file: the one that was asked for, or one that is gone at the end.
class RecordingFile {
 public:
  explicit RecordingFile(const std::string& wanted) : path_(wanted), temporary_(wanted.empty()) {
    if (temporary_)
      path_ = fs::temp_directory_path() / fmt::format("smallmind-{}.smprof", static_cast<long>(getpid()));
  }
  ~RecordingFile() {
    std::error_code ignored;
    if (temporary_) fs::remove(path_, ignored);
  }
  RecordingFile(const RecordingFile&) = delete;
  RecordingFile& operator=(const RecordingFile&) = delete;

  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
  bool temporary_;
};

// A cached roof that the work exceeded was measured on a busy machine: the next run measures it anew.
void doubt_roofline(const Recording& recording, int threads) {
  const Report report = make_report(recording);
  const ReportRow* row = beyond_roof(report);
  const auto directory = cache_directory();
  if (row == nullptr || !directory) return;
  forget_roofline(*directory, roofline_key(threads, kernels().isa));
  log_warning(
      "{} reached {:.0f} % of the roofline: so that was measured on a busy machine, and the next run "
      "measures it anew",
      row->op.name, 100 * row->roof.share);
}

}  // namespace

void add_profile_options(CLI::App& command, ProfileArguments& arguments) {
  command.add_option("--out", arguments.out, "Keep the recording (see `profile report`)");
  command.add_option("--seconds", arguments.seconds, "Least seconds of warm repeats per part")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--repeats", arguments.repeats, "Warm repeats instead, after the cold one")
      ->check(CLI::Range(1, 20000));
  command.add_option("--seed", arguments.seed, "Seed of weights, prompts and sampling")
      ->capture_default_str();
  command.add_flag("--json", arguments.json, "One JSON document on standard output");
}

WorkloadOptions workload_options(const ProfileArguments& arguments, const CliContext& context) {
  WorkloadOptions options{.seconds = arguments.seconds, .seed = arguments.seed};
  if (arguments.repeats > 0) {
    options.seconds = 0;
    options.least_repeats = arguments.repeats;
  }
  options.heap_is_counted = heap_is_counted();
  options.stop = [] { return StopSignals::requested(); };
  if (!context.quiet)
    options.on_part = [](const PartResult& p) {
      fmt::print(stderr, "{}{}{}: {:.4g} {}\n", p.part, p.mode.empty() ? "" : ", ", p.mode, p.median, p.unit);
    };
  return options;
}

void profile_and_show(std::string_view name, std::string_view what, const WorkloadBody& body,
                      ThreadPool& pool, const ProfileArguments& arguments, const CliContext& context) {
  const RecordingFile file(arguments.out);
  const Roofline roofline = machine_roofline(pool.size());
  const StopSignals signals;
  const WorkloadReport report =
      record_workload(name, what, body, pool, workload_options(arguments, context), file.path(),
                      environment_json(kVersion, kCommit, pool.size()), &roofline);
  const Recording recording = Recording::open(file.path());
  doubt_roofline(recording, pool.size());
  if (arguments.json) return render_report(recording, ReportFormat::json, {}, print_out);
  print_out(workload_text(report) + "\n");
  render_report(recording, ReportFormat::text, {}, print_out);
  if (!arguments.out.empty()) print_out(fmt::format("\nrecording: {}\n", arguments.out));
}

}  // namespace smallmind
