// Runs of `smallmind bench --all` on disk, and how the last one stands against those before it.
//
//   DIR/2026-11-20T19-30-00/report.json   {time, environment, workloads: [see workload_report.h], history:
//   [...]}
//                           report.md     the same for people
//                           NAME.smprof   the recording of each workload
//
// A part's last median is held against the median of its former ones. It counts as a change when it lies more
// than three standard deviations away, as the runs' own spread tells them: the deviation between the former
// runs and that within a run. Runs on another CPU, with other kernels or another number of threads are left
// out, and so are workloads of former runs that other programs disturbed.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "profiler/workload_report.h"

namespace smallmind {

struct BenchRun {
  std::string name;              // of its directory; runs are in the order of their names
  std::string environment_json;  // an object
  std::vector<WorkloadReport> workloads;
};

enum class TrendVerdict : std::uint8_t { first, steady, better, worse };

struct Trend {
  std::string workload, part, mode, unit;
  int former = 0;        // runs before the last one that have this part
  double before = 0;     // the median of their medians
  double deviation = 0;  // MAD of them
  double last = 0;
  double change = 0;  // last / before - 1
  TrendVerdict verdict = TrendVerdict::first;
};

// The runs below `directory`, oldest first; none where there is no such directory. Runs that cannot be read
// get a warning and are left out.
std::vector<BenchRun> read_bench_runs(const std::filesystem::path& directory);

// A new directory below `directory` that is named by the time.
std::filesystem::path make_run_directory(const std::filesystem::path& directory);

// Writes report.json and report.md to the run's directory. `trends` as bench_trends() gives them.
void write_bench_run(const std::filesystem::path& run_directory, const BenchRun& run,
                     const std::vector<Trend>& trends);

// The parts of the last of `runs`, against the ones before it.
std::vector<Trend> bench_trends(const std::vector<BenchRun>& runs);

std::string trends_text(const std::vector<Trend>& trends);
std::string bench_run_json(const BenchRun& run, const std::vector<Trend>& trends);
// Throws Error{bad_input}.
BenchRun parse_bench_run(std::string_view name, std::string_view json, std::string_view file);

}  // namespace smallmind
