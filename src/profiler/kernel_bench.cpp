// Which rows are run, and in which order; see kernel_bench.h.
#include "profiler/kernel_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "kernels/dispatch.h"
#include "profiler/kernel_bench/spec.h"
#include "profiler/kernel_bench/targets.h"

namespace smallmind {
namespace {

// Nothing is faster than its limit; 2 % is what medians of alternating samples may differ by.
constexpr double kMostShare = 1.02;

bool chosen(const KernelSpec& spec, const std::vector<std::string>& groups) {
  return groups.empty() || std::any_of(groups.begin(), groups.end(), [&](const std::string& group) {
           return std::find(spec.groups.begin(), spec.groups.end(), group) != spec.groups.end();
         });
}

void check_groups(const std::vector<std::string>& groups) {
  std::string names;
  for (const KernelGroup& group : kernel_bench_groups()) names += fmt::format(" {}", group.name);
  for (const std::string& group : groups)
    if (std::none_of(kernel_bench_groups().begin(), kernel_bench_groups().end(),
                     [&](const KernelGroup& each) { return each.name == group; }))
      fail_usage("[bench] a group of{} expected, '{}' given", names, group);
}

}  // namespace

std::vector<KernelSpec> all_specs() {
  std::vector<KernelSpec> all;
  for (const auto& specs : {product_specs, loss_specs, attention_specs, row_specs, model_specs})
    for (KernelSpec& spec : specs()) all.push_back(std::move(spec));
  return all;
}

const std::vector<KernelGroup>& kernel_bench_groups() {
  static const std::vector<KernelGroup> kGroups = {
      {"square", "products of 128^3 to 2048^3 in three forms, plain operands"},
      {"packed", "the same with the weight packed once"},
      {"layers", "products of training at 2048 tokens, widths 128 to 768"},
      {"layers128", "those of width 128"},
      {"layers256", "those of width 256"},
      {"layers384", "those of width 384"},
      {"layers768", "those of width 768"},
      {"skinny", "products of 1, 8 and 64 rows, the weight packed once"},
      {"loss", "the head fused with the cross-entropy, forward and backward, 2048 tokens"},
      {"attention", "causal attention, forward, backward and its memory"},
      {"attention64", "the same over contexts of 64, 12 sequences of 6 and of 4 heads"},
      {"rows", "row and elementwise kernels, AdamW"},
      {"simd", "the reference workload of kernels"},
      {"training", "the reference workload of training: AdamW, LayerNorm and whole steps"},
      {"models", "prompt and decode of small and medium"},
  };
  return kGroups;
}

KernelBenchReport run_kernel_bench(const KernelBenchOptions& options,
                                   const std::function<void(const KernelResult&)>& on_result) {
  check_groups(options.groups);
  const RivalLibraries rivals(options.rivals);
  struct Threads {
    explicit Threads(int count) : pool(count), cores(pool) {}
    ThreadPool pool;
    CoreWatch cores;
  };
  std::vector<std::unique_ptr<Threads>> all;
  all.push_back(std::make_unique<Threads>(1));
  if (options.threads > 1) all.push_back(std::make_unique<Threads>(options.threads));
  const ForeignCpu foreign;
  KernelBenchReport report;
  for (const KernelSpec& spec : all_specs()) {
    if (!chosen(spec, options.groups)) continue;
    for (const auto& threads : all) {
      const BenchContext context{threads->pool, threads->cores, kernels(), rivals, options.seconds};
      KernelResult result = spec.work ? timed(context, spec.work(context)) : spec.run(context);
      result.kernel = spec.kernel;
      result.form = spec.form;
      result.shape = spec.shape;
      result.threads = threads->pool.size();
      result.targets = spec.targets;
      result.best_then = spec.best_then;
      on_result(result);
      report.results.push_back(std::move(result));
    }
  }
  report.together = judge_together(report.results);
  report.rivals = rivals.status();
  report.foreign_share = foreign.share();
  return report;
}

void check_roofs(const std::vector<KernelResult>& results) {
  std::string rows;
  for (const KernelResult& r : results)
    if (r.roofline_share > kMostShare && !r.disturbed && r.alone > 0)
      rows += fmt::format("{}{} {} {} with {} threads at {:.3f} of '{}'", rows.empty() ? "" : "; ", r.kernel,
                          r.form, r.shape, r.threads, r.roofline_share, r.roof);
  if (!rows.empty())
    fail(ErrorCode::internal, "[bench] shares of at most {} expected, the roof is wrong: {}", kMostShare,
         rows);
}

}  // namespace smallmind
