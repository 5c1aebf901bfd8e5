// See kernel_report.h.
#include "cli/kernel_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/version.h"
#include "kernels/dispatch.h"
#include "machine/report.h"

namespace smallmind {
namespace {

using nlohmann::ordered_json;

std::string number(double value) {
  return fmt::format("{:.{}f}", value, value < 10 ? 2 : value < 10000 ? 1 : 0);
}

ordered_json row_json(const KernelResult& r) {
  ordered_json rivals = ordered_json::object();
  for (const auto& [name, value] : r.rivals) rivals[name] = value;
  ordered_json row = {{"kernel", r.kernel},
                      {"form", r.form},
                      {"shape", r.shape},
                      {"threads", r.threads},
                      {"value", r.value},
                      {"unit", r.unit},
                      {"roofline_share", r.roof.empty() ? ordered_json() : ordered_json(r.roofline_share)},
                      {"roof", r.roof},
                      {"spread", r.spread},
                      {"rivals", rivals},
                      {"disturbed", r.disturbed},
                      {"alone", r.alone}};
  if (r.best_then > 0) row["best_then"] = {{"value", r.best_then}, {"ratio", r.value / r.best_then}};
  if (const Verdict verdict = judge(r); verdict.stated)
    row["target"] = {{"passed", verdict.passed}, {"text", verdict.text}};
  return row;
}

ordered_json environment_json(const KernelBenchReport& report, int threads) {
  const MachineReport machine = inspect_machine();
  ordered_json rivals = ordered_json::object();
  for (const auto& [name, status] : report.rivals) rivals[name] = status;
  return {{"cpu", machine.cpu},
          {"isa", machine.isa},
          {"threads", threads},
          {"caches", {{"l1d", machine.caches.l1d}, {"l2", machine.caches.l2}, {"l3", machine.caches.l3}}},
          {"huge_pages", machine.huge_pages},
          {"compiler", __VERSION__},
          {"commit", kCommit},
          {"foreign_cpu_share", report.foreign_share},
          {"rivals", rivals}};
}

}  // namespace

std::string kernel_table_head() {
  return fmt::format("{:<10} {:<12} {:<16} {:>3} {:>9} {:<8} {:>6}  {:<9} {:>6}  {}\n", "kernel", "form",
                     "shape", "thr", "rate", "unit", "share", "roof", "spread",
                     "target; rivals; the best before");
}

std::string kernel_table_row(const KernelResult& r) {
  const Verdict verdict = judge(r);
  std::string notes = verdict.text;
  const auto note = [&notes](const std::string& text) { notes += (notes.empty() ? "" : "; ") + text; };
  for (const auto& [name, value] : r.rivals)
    note(fmt::format("{} {} ({:.2f}x)", name, number(value), r.value / value));
  if (r.best_then > 0) note(fmt::format("before {} ({:.1f}x)", number(r.best_then), r.value / r.best_then));
  if (r.disturbed) note("disturbed");
  if (r.alone == 0) note("cores shared throughout");
  return fmt::format("{:<10} {:<12} {:<16} {:>3} {:>9} {:<8} {:>6}  {:<9} {:>5.1f}%  {}\n", r.kernel, r.form,
                     r.shape, r.threads, number(r.value), r.unit,
                     r.roof.empty() ? "-" : fmt::format("{:.3f}", r.roofline_share), r.roof, 100 * r.spread,
                     notes);
}

std::string kernel_table_foot(const KernelBenchReport& report) {
  std::string text;
  for (const auto& [name, verdict] : report.together) text += fmt::format("{}: {}\n", name, verdict.text);
  for (const auto& [name, status] : report.rivals) text += fmt::format("{}: {}\n", name, status);
  return text + fmt::format("other programs took {:.1f} % of the CPUs\n", 100 * report.foreign_share);
}

std::string kernel_report_json(const KernelBenchReport& report, int threads) {
  ordered_json results = ordered_json::array(), together = ordered_json::array();
  for (const KernelResult& r : report.results) results.push_back(row_json(r));
  for (const auto& [name, verdict] : report.together)
    together.push_back({{"of", name}, {"passed", verdict.passed}, {"text", verdict.text}});
  return ordered_json{
             {"results", results}, {"together", together}, {"environment", environment_json(report, threads)}}
             .dump(2) +
         "\n";
}

}  // namespace smallmind
