// smallmind bench: tokens per second of a preset or a model, and its share of the machine's roofline; with
// --kernels the rate of every kernel, its share of the roof and the rivals' rates beside it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/bench_all.h"
#include "cli/command.h"
#include "cli/heap_counter.h"
#include "cli/kernel_report.h"
#include "kernels/dispatch.h"
#include "model/loader.h"
#include "model/presets.h"
#include "profiler/model_bench.h"

namespace smallmind {
namespace {

struct Arguments {
  std::string preset = "small";
  std::string model;
  std::int64_t prompt_tokens = 0, decode_tokens = 0, train_batch = -1;
  double seconds = 1.0;
  bool no_recompute = false, json = false;
  bool kernels = false, no_rivals = false;
  std::vector<std::string> groups;
};

constexpr double kKernelSeconds = 0.3;

std::unique_ptr<Model> make_bench_model(const Arguments& arguments) {
  if (!arguments.model.empty())
    return load_model(resolve_model_directory(arguments.model), {.gradients = arguments.train_batch != 0});
  std::unique_ptr<Model> model = make_model(preset(arguments.preset));
  model->allocate(arguments.train_batch != 0);
  model->initialise(1);
  return model;
}

ModelBenchOptions bench_options(const Arguments& arguments, const ModelConfig& config) {
  ModelBenchOptions options = reference_bench(arguments.model.empty() ? arguments.preset : "", config);
  if (arguments.prompt_tokens > 0) options.prompt_tokens = arguments.prompt_tokens;
  if (arguments.decode_tokens > 0) options.decode_tokens = arguments.decode_tokens;
  if (arguments.train_batch >= 0) options.train_batch = arguments.train_batch;
  options.seconds = arguments.seconds;
  options.full_recompute = !arguments.no_recompute;
  options.heap_allocations = heap_is_counted() ? &heap_allocations : nullptr;
  return options;
}

std::string as_json(const Arguments& arguments, const ModelConfig& config,
                    const std::vector<BenchResult>& results) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const BenchResult& r : results)
    list.push_back({{"test", r.test},
                    {"mode", r.mode},
                    {"threads", r.threads},
                    {"tokens_per_second", r.tokens_per_second},
                    {"spread", r.spread},
                    {"cold_tokens_per_second", r.cold_tokens_per_second},
                    {"roofline_share", r.roofline_share},
                    {"heap_allocations_per_token", r.heap_allocations_per_token},
                    {"repeats", r.repeats}});
  const nlohmann::ordered_json document = {
      {"model", arguments.model.empty() ? arguments.preset : arguments.model},
      {"parameters", config.parameter_count()},
      {"isa", kernels().isa},
      {"results", list}};
  return document.dump(2) + "\n";
}

std::string as_table(const Arguments& arguments, const ModelConfig& config,
                     const std::vector<BenchResult>& results) {
  std::string text = fmt::format(
      "{}: {} parameters, f32, kernels {}\n{:<12} {:<15} {:>7} {:>12} {:>8} {:>12} {:>8} {:>12}\n",
      arguments.model.empty() ? arguments.preset : arguments.model, config.parameter_count(), kernels().isa,
      "test", "mode", "threads", "tokens/s", "spread", "cold", "roof", "allocs/token");
  for (const BenchResult& r : results)
    text += fmt::format(
        "{:<12} {:<15} {:>7} {:>12.1f} {:>7.1f}% {:>12.1f} {:>7.1f}% {:>12}\n", r.test, r.mode, r.threads,
        r.tokens_per_second, 100 * r.spread, r.cold_tokens_per_second, 100 * r.roofline_share,
        r.heap_allocations_per_token < 0 ? "not counted"
                                         : fmt::format("{:.3f}", r.heap_allocations_per_token));
  return text;
}

// Rows appear as they are measured: on standard output, or with --json on standard error.
void bench_kernels(const Arguments& arguments, const CliContext& context, bool seconds_given) {
  KernelBenchOptions options;
  options.groups = arguments.groups;
  options.threads = context.thread_count();
  options.seconds = seconds_given ? arguments.seconds : kKernelSeconds;
  options.rivals = !arguments.no_rivals;
  const auto show = [&](const std::string& text) {
    if (!arguments.json)
      print_out(text);
    else if (!context.quiet)
      fmt::print(stderr, "{}", text);
  };
  show(kernel_table_head());
  const KernelBenchReport report =
      run_kernel_bench(options, [&](const KernelResult& result) { show(kernel_table_row(result)); });
  show(kernel_table_foot(report));
  if (arguments.json) print_out(kernel_report_json(report, options.threads));
  check_roofs(report.results);
}

std::string group_help() {
  std::string text = "With --kernels, only these:";
  for (const KernelGroup& group : kernel_bench_groups())
    text += fmt::format("\n  {:<10} {}", group.name, group.what);
  return text;
}

void add_model_options(CLI::App& command, Arguments& arguments) {
  auto* kernels_flag = command.add_flag("--kernels", arguments.kernels,
                                        "Measure kernels beside their limits and other libraries instead");
  command.add_option("--group", arguments.groups, group_help())->needs(kernels_flag);
  command.add_flag("--no-rivals", arguments.no_rivals, "With --kernels, without other libraries")
      ->needs(kernels_flag);
  auto* preset_option =
      command.add_option("--preset", arguments.preset, "A reference model with random weights")
          ->capture_default_str()
          ->excludes(kernels_flag);
  command.add_option("--model", arguments.model, "A model directory or training run instead")
      ->excludes(preset_option)
      ->excludes(kernels_flag);
  command.add_option("--prompt", arguments.prompt_tokens, "Tokens of the prompt test")
      ->check(CLI::PositiveNumber)
      ->excludes(kernels_flag);
  command.add_option("--decode", arguments.decode_tokens, "Tokens of the decode test")
      ->check(CLI::PositiveNumber)
      ->excludes(kernels_flag);
  command
      .add_option("--train-batch", arguments.train_batch, "Windows per training step; 0: no training test")
      ->check(CLI::NonNegativeNumber)
      ->excludes(kernels_flag);
  command.add_flag("--no-recompute", arguments.no_recompute, "Leave out the tests without a cache")
      ->excludes(kernels_flag);
}

}  // namespace

void add_bench(CLI::App& app, const CliContext& context) {
  CLI::App* command = app.add_subcommand("bench", "Measure models or kernels against the roofline");
  const auto arguments = std::make_shared<Arguments>();
  const auto all = std::make_shared<BenchAllArguments>();
  add_model_options(*command, *arguments);
  add_bench_all_options(*command, *all);
  auto* seconds = command
                      ->add_option("--seconds", arguments->seconds,
                                   "Least seconds per test (default 1.0, of a kernel 0.3)")
                      ->check(CLI::PositiveNumber);
  command->add_flag("--json", arguments->json, "One JSON document on standard output");
  command->callback([arguments, all, &context, seconds] {
    if (all->all || all->history) return bench_all(*all, arguments->seconds, arguments->json, context);
    if (arguments->kernels) return bench_kernels(*arguments, context, seconds->count() > 0);
    const std::unique_ptr<Model> model = make_bench_model(*arguments);
    const std::vector<BenchResult> results =
        run_model_bench(*model, context.thread_count(), bench_options(*arguments, model->config()));
    print_out(arguments->json ? as_json(*arguments, model->config(), results)
                              : as_table(*arguments, model->config(), results));
  });
}

}  // namespace smallmind
