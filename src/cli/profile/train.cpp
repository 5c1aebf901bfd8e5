// smallmind profile train CONFIG: training steps of a run as it is set up (its newest weights, its settings,
// its data), or of a preset on random tokens. Nothing is written to the run.
#include <fmt/format.h>

#include <algorithm>

#include "cli/profile_show.h"
#include "cli/token_cache.h"
#include "model/loader.h"
#include "model/presets.h"
#include "profiler/model_bench.h"
#include "profiler/workloads/workloads.h"
#include "text/tokenizer_json.h"
#include "train/checkpoint.h"
#include "train/step.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

struct Arguments : ProfileArguments {
  std::string config;
  std::int64_t batch = 0;  // 0: the run's own
};

bool is_preset(const std::string& name) {
  const auto names = preset_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

void profile_preset(const Arguments& arguments, ThreadPool& pool, const CliContext& context) {
  const std::unique_ptr<Model> model = reference_model(arguments.config, true, arguments.seed);
  const std::int64_t batch =
      arguments.batch > 0 ? arguments.batch : reference_bench(arguments.config, model->config()).train_batch;
  profile_and_show(
      arguments.config,
      fmt::format("training steps of {} windows of {} random tokens", batch, model->config().context),
      [&](WorkloadRun& run) { training_part(run, "model, training step", *model, batch); }, pool, arguments,
      context);
}

// Steps of a run on its own data.
class RunSteps {
 public:
  RunSteps(const fs::path& checkpoint, std::int64_t batch, ThreadPool& pool)
      : state_(read_trainer_state(checkpoint)), model_(load_model(checkpoint, {.gradients = true})) {
    if (batch > 0) state_.identity.settings.batch = batch;
    const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(checkpoint);
    const fs::path cache = token_cache();
    tokens_.emplace(tokenise(find_sources(state_.data_path), state_.field, *tokenizer,
                             cache.empty() ? fs::temp_directory_path() : cache));
    loader_.emplace(*tokens_, model_->config().context, state_.identity.settings.validation_share);
    const TrainSettings& settings = state_.identity.settings;
    step_.emplace(*model_, settings, pool, measure_pass(*model_, pool, settings.batch, true));
    load_checkpoint(checkpoint, *model_, step_->optimizer());
  }

  std::string what() const {
    const TrainSettings& settings = state_.identity.settings;
    return fmt::format("steps from {} on: {} x {} windows of {} tokens of {}", state_.step,
                       settings.accumulate, settings.batch, model_->config().context, state_.data_path);
  }
  std::int64_t tokens_per_step() const { return step_->tokens_per_step(); }

  void one() {
    const Zone zone("step");
    const double rate = state_.identity.settings.schedule.rate(state_.step) * state_.lr_scale;
    if (step_->gradients(*loader_, state_.step++).finite()) step_->update(rate);
  }

 private:
  TrainerState state_;
  std::unique_ptr<Model> model_;
  std::optional<TokenFile> tokens_;
  std::optional<DataLoader> loader_;
  std::optional<TrainingStep> step_;
};

void profile_run(const Arguments& arguments, ThreadPool& pool, const CliContext& context) {
  RunSteps steps(resolve_model_directory(arguments.config), arguments.batch, pool);
  PartSpec spec{.name = "run, training step",
                .unit = "tokens/s",
                .amount = static_cast<double>(steps.tokens_per_step()),
                .item = "step"};
  spec.pass = [&](int) { steps.one(); };
  profile_and_show(
      arguments.config, steps.what(), [&](WorkloadRun& run) { run.part(spec); }, pool, arguments, context);
}

}  // namespace

void add_profile_train(CLI::App& profile, const CliContext& context) {
  CLI::App* command = profile.add_subcommand("train", "Training steps of a run, or of a preset");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("config", arguments->config, "A training run (its directory), or a preset")->required();
  add_profile_options(*command, *arguments);
  command->add_option("--batch", arguments->batch, "Windows per forward pass (default: the run's)")
      ->check(CLI::PositiveNumber);
  command->callback([arguments, &context] {
    ThreadPool pool(context.thread_count());
    is_preset(arguments->config) ? profile_preset(*arguments, pool, context)
                                 : profile_run(*arguments, pool, context);
  });
}

}  // namespace smallmind
