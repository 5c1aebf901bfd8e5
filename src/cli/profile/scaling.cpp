// smallmind profile scaling: a model's decoding speed over threads, batch and context, with fitted laws.
#include "profiler/scaling.h"

#include "cli/profile/subcommand.h"

namespace smallmind {
namespace {

struct Arguments {
  std::string model;
  ScalingOptions options;
  bool json = false;
};

void scaling(Arguments arguments, const CliContext& context) {
  const std::unique_ptr<Model> model = profile_target(arguments.model, false);
  arguments.options.threads = context.thread_count();
  const std::vector<ScalingCurve> curves = measure_scaling(*model, arguments.options);
  print_out(arguments.json ? scaling_json(arguments.model, curves) : scaling_text(arguments.model, curves));
}

}  // namespace

void add_profile_scaling(CLI::App& profile, const CliContext& context) {
  CLI::App* command = profile.add_subcommand(
      "scaling", "Decoding speed over threads, batch and context: the law and where it bends");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("model", arguments->model, "A preset, a model directory or a training run")->required();
  command->add_option("--most-batch", arguments->options.most_batch, "The most sequences decoded together")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--seconds", arguments->options.seconds, "Seconds of measuring per point")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON document on standard output");
  command->callback([arguments, &context] { scaling(*arguments, context); });
}

}  // namespace smallmind
