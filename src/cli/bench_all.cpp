// See bench_all.h.
#include "cli/bench_all.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/signal.h"
#include "cli/profile_show.h"
#include "cli/version.h"
#include "profiler/bench_history.h"
#include "profiler/environment.h"

namespace smallmind {
namespace {

// Runs of one workload after the other; Ctrl-C leaves out the rest.
BenchRun measure_all(const std::filesystem::path& directory, const ProfileArguments& effort, bool json,
                     const CliContext& context) {
  ThreadPool pool(context.thread_count());
  const Roofline roofline = machine_roofline(pool.size());
  const StopSignals signals;
  BenchRun run{.name = directory.filename().string(),
               .environment_json = environment_json(kVersion, kCommit, pool.size()),
               .workloads = {}};
  for (const Workload& workload : workloads()) {
    if (StopSignals::requested()) break;
    run.workloads.push_back(record_workload(
        workload.name, workload.what, workload.run, pool, workload_options(effort, context),
        directory / (std::string(workload.name) + ".smprof"), run.environment_json, &roofline));
    if (!json) print_out(workload_text(run.workloads.back()) + "\n");
  }
  return run;
}

void show_history(const BenchAllArguments& arguments, bool json) {
  const std::vector<BenchRun> runs = read_bench_runs(arguments.out);
  if (runs.empty()) fail_input("[bench] a directory of runs expected, none found ({})", arguments.out);
  const std::vector<Trend> trends = bench_trends(runs);
  if (json) return print_out(bench_run_json(runs.back(), trends));
  print_out(fmt::format("{} runs in {}, the last one of {}\n\n{}", runs.size(), arguments.out,
                        runs.back().name, trends_text(trends)));
}

}  // namespace

void add_bench_all_options(CLI::App& bench, BenchAllArguments& arguments) {
  const char* group = "All workloads";
  CLI::Option* all =
      bench.add_flag("--all", arguments.all, "Run every workload, and write one report")->group(group);
  bench.add_flag("--history", arguments.history, "Show the trend over the runs in --out, without a new one")
      ->group(group)
      ->excludes(all);
  bench.add_option("--out", arguments.out, "Where runs lie, a directory each")
      ->capture_default_str()
      ->group(group);
  bench.add_option("--repeats", arguments.repeats, "With --all: warm repeats per part instead of --seconds")
      ->check(CLI::Range(1, 20000))
      ->needs(all)
      ->group(group);
}

void bench_all(const BenchAllArguments& arguments, double seconds, bool json, const CliContext& context) {
  if (arguments.history) return show_history(arguments, json);
  const std::filesystem::path directory = make_run_directory(arguments.out);
  ProfileArguments effort;
  effort.seconds = seconds;
  effort.repeats = arguments.repeats;
  std::vector<BenchRun> runs = read_bench_runs(arguments.out);
  runs.push_back(measure_all(directory, effort, json, context));
  const std::vector<Trend> trends = bench_trends(runs);
  write_bench_run(directory, runs.back(), trends);
  if (json) return print_out(bench_run_json(runs.back(), trends));
  print_out(fmt::format("Trend over {} runs\n{}\nreport: {}\n", runs.size(), trends_text(trends),
                        (directory / "report.md").string()));
}

}  // namespace smallmind
