// smallmind profile: records a model at work, and shows where the time went.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/signal.h"
#include "cli/command.h"
#include "cli/profile/subcommand.h"
#include "cli/profile_registry.inc"
#include "cli/version.h"
#include "infer/packed_weights.h"
#include "infer/session.h"
#include "model/loader.h"
#include "model/presets.h"
#include "profiler/environment.h"
#include "profiler/op_table.h"
#include "profiler/recorder.h"
#include "profiler/report/roof.h"

namespace smallmind {
namespace {

struct Arguments {
  std::string target;
  std::string out = "smallmind.smprof";
  std::int64_t prompt_tokens = 10, decode_tokens = 50;
  int repeats = 20;
};

// Repeats of a prompt and decoded tokens from an empty cache; the first repeat is the cold one. Ctrl-C ends
// after the present repeat.
void decode_passes(Model& model, ThreadPool& pool, const Arguments& arguments) {
  const PackedWeights packed(model, pool);
  Session session(model, pool);
  std::vector<std::int32_t> tokens(
      static_cast<std::size_t>(arguments.prompt_tokens + arguments.decode_tokens));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(model.config().vocab));
  const auto prompt = std::span(tokens).first(static_cast<std::size_t>(arguments.prompt_tokens));
  for (int repeat = 0; repeat <= arguments.repeats && !StopSignals::requested(); ++repeat) {
    session.reset();
    {
      const Zone pass("prompt", {.phase = Phase::prefill,
                                 .layer = repeat,
                                 .shape = {static_cast<std::int32_t>(prompt.size())},
                                 .kind = ZoneKind::pass});
      session.prefill(prompt);
    }
    const Zone pass("decode", {.phase = Phase::decode,
                               .layer = repeat,
                               .shape = {static_cast<std::int32_t>(arguments.decode_tokens)},
                               .kind = ZoneKind::pass});
    for (const std::int32_t token : std::span(tokens).subspan(prompt.size())) session.decode(token);
  }
}

void profile(const Arguments& arguments, const CliContext& context) {
  if (arguments.target.empty()) fail_usage("[profile] a model or a subcommand expected (see profile --help)");
  const std::unique_ptr<Model> model = profile_target(arguments.target, false);
  if (arguments.prompt_tokens + arguments.decode_tokens > model->config().context)
    fail_usage("[profile] at most {} tokens of prompt and text expected, {} and {} asked for",
               model->config().context, arguments.prompt_tokens, arguments.decode_tokens);
  ThreadPool pool(context.thread_count());
  const StopSignals signals;
  Recorder recorder(arguments.out);
  recorder.section("environment", environment_json(kVersion, kCommit, pool.size()));
  recorder.section("roofline", roofline_section(machine_roofline(pool.size())));
  recorder.section("workload", json_text({{"name", arguments.target}}));
  decode_passes(*model, pool, arguments);
  const RecorderSummary summary = recorder.stop();

  const Recording recording = Recording::open(arguments.out);
  for (const char* name : {"prompt", "decode"}) {
    const OpTable table =
        make_op_table(recording, {.passes = OpTableOptions::Passes::warm, .pass_name = name});
    print_out(fmt::format("{}: {} warm repeats, {:.1f} tokens/s\n{}\n", name, table.passes,
                          table.wall > 0 ? table.tokens / table.wall : 0, op_table_text(table)));
  }
  print_out(fmt::format("{}: {} events, {} dropped, {} bytes\n", arguments.out, summary.events,
                        summary.dropped, summary.bytes));
}

}  // namespace

std::unique_ptr<Model> profile_target(const std::string& target, bool gradients) {
  for (const std::string_view name : preset_names()) {
    if (name != target) continue;
    std::unique_ptr<Model> model = make_model(preset(name));
    model->allocate(gradients);
    model->initialise(1);
    return model;
  }
  return load_model(resolve_model_directory(target), {.gradients = gradients});
}

void add_profile(CLI::App& app, const CliContext& context) {
  CLI::App* command = app.add_subcommand("profile", "Record a model at work and show where the time went");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("model", arguments->target, "A preset, a model directory or a training run");
  command->add_option("--out", arguments->out, "The recording")->capture_default_str();
  command->add_option("--prompt", arguments->prompt_tokens, "Tokens of the prompt")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--tokens", arguments->decode_tokens, "Tokens decoded after it")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--repeats", arguments->repeats, "Warm repeats after the cold one")
      ->check(CLI::Range(1, 30000))
      ->capture_default_str();
  for (const Command& subcommand : kProfileCommands) subcommand.add(*command, context);
  command->callback([arguments, command, &context] {
    if (command->get_subcommands().empty()) profile(*arguments, context);
  });
}

}  // namespace smallmind
