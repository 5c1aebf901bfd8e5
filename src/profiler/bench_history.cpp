// See bench_history.h.
#include "profiler/bench_history.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr double kSigmas = 3;

const char* verdict_name(TrendVerdict verdict) {
  constexpr const char* kNames[] = {"first", "steady", "better", "worse"};
  return kNames[static_cast<int>(verdict)];
}

// What must be the same for figures to compare.
std::string machine_of(const BenchRun& run) {
  const nlohmann::json environment = parse_json(run.environment_json, run.name);
  std::string text;
  for (const char* key : {"cpu", "isa", "threads"})
    text += environment.contains(key) ? environment[key].dump() + "\n" : "\n";
  return text;
}

const PartResult* find_part(const BenchRun& run, const WorkloadReport& workload, const PartResult& part,
                            bool with_disturbed) {
  for (const WorkloadReport& candidate : run.workloads) {
    if (candidate.name != workload.name || (candidate.disturbed && !with_disturbed)) continue;
    for (const PartResult& other : candidate.parts)
      if (other.part == part.part && other.mode == part.mode && other.unit == part.unit) return &other;
  }
  return nullptr;
}

Trend trend_of(const WorkloadReport& workload, const PartResult& part,
               const std::vector<const BenchRun*>& former) {
  Trend trend{.workload = workload.name, .part = part.part, .mode = part.mode, .unit = part.unit};
  std::vector<double> medians, within = {part.deviation};
  for (const BenchRun* run : former)
    if (const PartResult* other = find_part(*run, workload, part, false)) {
      medians.push_back(other->median);
      within.push_back(other->deviation);
    }
  trend.former = static_cast<int>(medians.size());
  trend.last = part.median;
  if (medians.empty()) return trend;
  trend.before = median(medians);
  trend.deviation = median_deviation(medians);
  trend.change = trend.before > 0 ? trend.last / trend.before - 1 : 0;
  const double sigma = kDeviationToSigma * std::hypot(trend.deviation, median(within));
  const double difference = trend.last - trend.before;
  trend.verdict = std::abs(difference) <= kSigmas * sigma ? TrendVerdict::steady
                  : (difference > 0) == part.is_time      ? TrendVerdict::worse
                                                          : TrendVerdict::better;
  return trend;
}

ordered_json trend_json(const Trend& t) {
  return {{"workload", t.workload},
          {"part", t.part},
          {"mode", t.mode},
          {"unit", t.unit},
          {"former_runs", t.former},
          {"before", t.before},
          {"before_mad", t.deviation},
          {"last", t.last},
          {"change", t.change},
          {"verdict", verdict_name(t.verdict)}};
}

std::string environment_markdown(const BenchRun& run) {
  std::string text = "## Environment\n\n| | |\n| --- | --- |\n";
  const ordered_json environment = ordered_json::parse(run.environment_json);
  for (const auto& [key, value] : environment.items())
    text += fmt::format("| {} | {} |\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  return text + "\n";
}

}  // namespace

fs::path make_run_directory(const fs::path& directory) {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%dT%H-%M-%S", &parts);
  std::error_code error;
  fs::create_directories(directory, error);
  for (int attempt = 1; attempt < 100; ++attempt) {
    fs::path run = directory / (attempt == 1 ? std::string(text) : fmt::format("{}-{}", text, attempt));
    if (fs::create_directory(run, error)) return run;
    if (error) break;
  }
  fail_input("[bench] a directory to write to expected, {} ({})", error.message(), directory.string());
}

std::vector<BenchRun> read_bench_runs(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (fs::exists(entry.path() / "report.json", error)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<BenchRun> runs;
  for (const fs::path& file : files) try {
      const std::string path = (file / "report.json").string();
      runs.push_back(parse_bench_run(file.filename().string(), read_json_file(path).dump(), path));
    } catch (const Error& e) {
      log_warning("{}; this run is left out", e.what());
    }
  return runs;
}

std::string bench_run_json(const BenchRun& run, const std::vector<Trend>& trends) {
  ordered_json object = {{"run", run.name}, {"environment", ordered_json::parse(run.environment_json)}};
  object["workloads"] = ordered_json::array();
  for (const WorkloadReport& workload : run.workloads)
    object["workloads"].push_back(ordered_json::parse(workload_json(workload)));
  object["history"] = ordered_json::array();
  for (const Trend& trend : trends) object["history"].push_back(trend_json(trend));
  return object.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

BenchRun parse_bench_run(std::string_view name, std::string_view json, std::string_view file) {
  const nlohmann::json object = parse_json(json, file);
  const bool whole = object.is_object() && object.contains("environment") &&
                     object["environment"].is_object() && object.contains("workloads") &&
                     object["workloads"].is_array();
  if (!whole)
    fail_input("[bench] an object with \"environment\" and \"workloads\" expected, none found ({})", file);
  BenchRun run{.name = std::string(name), .environment_json = object["environment"].dump(), .workloads = {}};
  for (const nlohmann::json& workload : object["workloads"])
    run.workloads.push_back(parse_workload(workload.dump(), file));
  return run;
}

void write_bench_run(const fs::path& run_directory, const BenchRun& run, const std::vector<Trend>& trends) {
  write_file_atomically(run_directory / "report.json", bench_run_json(run, trends));
  std::string text = fmt::format("# SmallMind benchmarks of {}\n\n", run.name) + environment_markdown(run);
  for (const WorkloadReport& workload : run.workloads) text += workload_markdown(workload) + "\n";
  text += "## History\n\n```\n" + trends_text(trends) + "```\n";
  write_file_atomically(run_directory / "report.md", text);
}

std::vector<Trend> bench_trends(const std::vector<BenchRun>& runs) {
  if (runs.empty()) return {};
  const BenchRun& last = runs.back();
  const std::string machine = machine_of(last);
  std::vector<const BenchRun*> former;
  for (const BenchRun& run : std::span(runs).first(runs.size() - 1))
    if (machine_of(run) == machine) former.push_back(&run);
  std::vector<Trend> trends;
  for (const WorkloadReport& workload : last.workloads)
    for (const PartResult& part : workload.parts) trends.push_back(trend_of(workload, part, former));
  return trends;
}

std::string trends_text(const std::vector<Trend>& trends) {
  std::string text = fmt::format("{:<12} {:<44} {:<9} {:>6} {:>12} {:>7} {:>12} {:>8}  {}\n", "workload",
                                 "part", "unit", "former", "before", "MAD", "last", "change", "");
  for (const Trend& t : trends) {
    const std::string name = t.mode.empty() ? t.part : t.part + ", " + t.mode;
    if (t.former == 0) {
      text += fmt::format("{:<12} {:<44} {:<9} {:>6} {:>12} {:>7} {:>12.5g} {:>8}  first\n", t.workload, name,
                          t.unit, 0, "-", "-", t.last, "-");
      continue;
    }
    text +=
        fmt::format("{:<12} {:<44} {:<9} {:>6} {:>12.5g} {:>6.1f}% {:>12.5g} {:>+7.1f}%  {}\n", t.workload,
                    name, t.unit, t.former, t.before, t.before > 0 ? 100 * t.deviation / t.before : 0, t.last,
                    100 * t.change, verdict_name(t.verdict));
  }
  return text;
}

}  // namespace smallmind
