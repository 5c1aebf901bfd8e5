// smallmind profile compare-models: how time, memory and efficiency grow from one model to another.
#include "cli/profile/subcommand.h"
#include "profiler/model_scaling.h"

namespace smallmind {
namespace {

struct Arguments {
  std::string first, second;
  double seconds = 1;
  bool json = false;
};

MeasuredModel measure(const std::string& name, const Arguments& arguments, const CliContext& context) {
  const std::unique_ptr<Model> model = profile_target(name, true);
  ModelBenchOptions options = reference_bench(name, model->config());
  options.seconds = arguments.seconds;
  return measure_model(name, *model, context.thread_count(), options);
}

}  // namespace

void add_profile_compare_models(CLI::App& profile, const CliContext& context) {
  CLI::App* command = profile.add_subcommand(
      "compare-models",
      "How time, memory and efficiency grow from one model to another, beside what theory expects");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("first", arguments->first, "A preset, a model directory or a training run")->required();
  command->add_option("second", arguments->second, "Another, of different size")->required();
  command->add_option("--seconds", arguments->seconds, "Least seconds per test")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON document on standard output");
  command->callback([arguments, &context] {
    const MeasuredModel first = measure(arguments->first, *arguments, context);
    const MeasuredModel second = measure(arguments->second, *arguments, context);
    print_out(arguments->json ? model_scaling_json(first, second) : model_scaling_text(first, second));
  });
}

}  // namespace smallmind
