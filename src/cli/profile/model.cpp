// smallmind profile MODEL: a preset, a model directory or a training run writes texts from random prompts.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/profile/subcommand.h"
#include "cli/profile_show.h"
#include "profiler/workloads/workloads.h"

namespace smallmind {
namespace {

struct Arguments : ProfileArguments {
  std::string model;
  std::int64_t prompt = 10, tokens = 50;
  bool no_recompute = false;
};

void profile_model(const Arguments& arguments, const CliContext& context) {
  if (arguments.model.empty())
    fail_usage("[profile] a workload, a model or a subcommand expected (see --help)");
  const std::unique_ptr<Model> model = profile_target(arguments.model, false);
  if (arguments.prompt > model->config().context)
    fail_usage("[profile] a prompt of 1 to {} tokens (the model's context) expected, {} asked for",
               model->config().context, arguments.prompt);
  ThreadPool pool(context.thread_count());
  const auto body = [&](WorkloadRun& run) {
    text_parts(run, *model,
               {.prompted = "model, prompt",
                .cached = "model, KV cache",
                .recomputed = arguments.no_recompute ? nullptr : "model, full recompute",
                .prompt = arguments.prompt,
                .tokens = arguments.tokens,
                .texts = 1});
  };
  profile_and_show(arguments.model,
                   fmt::format("{} parameters, a prompt of {} tokens and {} more", model->parameter_count(),
                               arguments.prompt, arguments.tokens),
                   body, pool, arguments, context);
}

}  // namespace

void add_profile_model(CLI::App& profile, const CliContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  profile.add_option("model", arguments->model, "A preset, a model directory or a training run");
  add_profile_options(profile, *arguments);
  profile.add_option("--prompt", arguments->prompt, "Tokens of the prompt")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  profile.add_option("--tokens", arguments->tokens, "Tokens written after it")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  profile.add_flag("--no-recompute", arguments->no_recompute, "Leave out the texts without a cache");
  profile.callback([&profile, arguments, &context] {
    if (profile.get_subcommands().empty()) profile_model(*arguments, context);
  });
}

}  // namespace smallmind
