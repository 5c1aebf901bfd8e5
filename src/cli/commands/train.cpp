// smallmind train DATA: a tokenizer, a model and a training run in one command; --resume goes on with one.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <cmath>

#include "base/cgroup.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/hot_path.h"
#include "base/json.h"
#include "base/log.h"
#include "base/signal.h"
#include "base/terminal.h"
#include "cli/command.h"
#include "cli/train_options.h"
#include "infer/generate.h"
#include "kernels/dispatch.h"
#include "machine/roofline.h"
#include "text/tokenizer_json.h"
#include "train/make_tokenizer.h"
#include "train/trainer.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSampleTokens = 100;

// What the eyes see while it trains; nothing of it with --quiet.
class Display {
 public:
  Display(bool quiet, double peak_flops) : quiet_(quiet), peak_flops_(peak_flops), line_(stderr) {}

  void note(std::string_view text) {
    if (!quiet_) line_.print(text);
  }
  template <class Text>
  void update(Text text) {
    if (!quiet_ && line_.due()) line_.update(text());
  }
  void step(const TrainProgress& p) {
    update([&] { return text(p); });
  }
  void evaluation(const TrainProgress& p) {
    note(fmt::format("step {:>6}  loss {:.4f}  val loss {:.4f}", p.step, p.loss,
                     p.val_loss.value_or(std::nan(""))));
  }
  void finish() {
    if (!quiet_) line_.finish();
  }

 private:
  std::string text(const TrainProgress& p) const {
    const auto left = static_cast<std::int64_t>(p.seconds_left + 0.5);
    std::string text = fmt::format("step {}/{}  loss {:.4f}", p.step, p.steps, p.loss);
    if (p.val_loss) text += fmt::format("  val loss {:.4f}", *p.val_loss);
    text += fmt::format("  {:.0f} tokens/s", p.tokens_per_second);
    if (peak_flops_ > 0) text += fmt::format("  {:.0f} % of peak", 100 * p.flops_per_second / peak_flops_);
    return text + fmt::format("  ETA {}:{:02}", left / 60, left % 60);
  }

  bool quiet_;
  double peak_flops_;
  ProgressLine line_;
};

fs::path token_cache(const RunDirectory& run) {
  if (const auto cache = cache_directory()) {
    std::error_code error;
    fs::create_directories(*cache / "tokens", error);
    if (!error && access((*cache / "tokens").c_str(), W_OK) == 0) return *cache / "tokens";
  }
  return run.path() / "tokens";
}

// A few lines by the model as it is now.
void sample(const Model& model, const Tokenizer& tokenizer, ThreadPool& pool, std::int64_t step,
            Display& display) {
  Session session(model, pool);
  GenerateOptions options;
  options.sampling.temperature = 0.8f;
  options.max_tokens = kSampleTokens;
  Generator generator(session, tokenizer, options);
  std::vector<std::int32_t> prompt;
  if (tokenizer.bos_id()) prompt.push_back(*tokenizer.bos_id());
  if (prompt.empty()) prompt.push_back(0);
  std::string text;
  generator.generate(prompt, {.on_text = [&](std::string_view piece) { text += piece; }, .cancelled = {}});
  display.note(fmt::format("--- sample after {} steps\n{}\n---", step, text));
}

// Everything before the first step, in the order in which it is needed.
class TrainCommand {
 public:
  TrainCommand(const TrainOptions& options, const CliContext& context)
      : options_(options),
        pool_(context.thread_count()),
        display_(context.quiet, context.quiet ? 0 : measure_fma(pool_, kernels()).value * 1e9),
        run_(options.out) {}

  void run() {
    find_start();
    read_data();
    configure();
    const StopSignals signals;
    Trainer trainer(
        *model_, *tokenizer_, *loader_, pool_, run_, state_, options_.rhythm,
        {.on_step = [this](const TrainProgress& p) { display_.step(p); },
         .on_evaluation = [this](const TrainProgress& p) { display_.evaluation(p); },
         .on_sample = [this](const Model& model,
                             std::int64_t step) { sample(model, *tokenizer_, pool_, step, display_); },
         .stop = [] { return StopSignals::requested(); }});
    if (checkpoint_) trainer.resume(*checkpoint_);
    display_.note(fmt::format(
        "{} {}: {} layers, width {}, context {}, {} parameters; {} + {} tokens; {} threads, {}",
        checkpoint_ ? "going on with" : "training", model_->config().arch, model_->config().layers,
        model_->config().width, model_->config().context, model_->parameter_count(),
        loader_->training_tokens(), loader_->validation_tokens(), pool_.size(), kernels().isa));
    std::optional<HotPathTable> profile;
    if (options_.profile) profile.emplace();
    const TrainResult result = trainer.run();
    if (profile) profile->stop();
    display_.finish();
    report(result);
    if (profile) options_.json ? display_.note(profile->text()) : print_out(profile->text());
  }

 private:
  void find_start() {
    if (options_.resume) {
      checkpoint_ = run_.newest_sound_checkpoint();
      if (!checkpoint_)
        fail_input("[train] a checkpoint to go on from expected, none found ({})", options_.out);
      saved_ = read_trainer_state(*checkpoint_);
    } else if (!run_.checkpoints().empty()) {
      if (!options_.force)
        fail_usage(
            "[train] a new directory expected, {} holds a run; --resume goes on with it, --force replaces it",
            options_.out);
      run_.clear();
    }
    if (options_.data.empty() && !checkpoint_)
      fail_usage("[train] a file or directory with text expected, none given");
  }

  void read_data() {
    state_.data_path = options_.data.empty() ? saved_.data_path : options_.data;
    state_.field = options_.field.empty() && checkpoint_ ? saved_.field : options_.field;
    const std::vector<SourceFile> sources = find_sources(state_.data_path);
    if (checkpoint_ && (!options_.tokenizer || *options_.tokenizer == "char" || *options_.tokenizer == "bpe"))
      tokenizer_ = load_tokenizer(*checkpoint_);
    else
      tokenizer_ =
          make_tokenizer(choice(), sources, state_.field, [this](std::int32_t made, std::int32_t wanted) {
            display_.update([&] { return fmt::format("tokenizer: {} of {} tokens", made, wanted); });
          });
    tokens_.emplace(tokenise(sources, state_.field, *tokenizer_, token_cache(run_),
                             [this](std::uint64_t bytes, std::uint64_t total) {
                               display_.update([&] {
                                 return fmt::format("tokenising: {} of {} MiB", bytes >> 20, total >> 20);
                               });
                             }));
  }

  TokenizerChoice choice() const {
    TokenizerChoice choice;
    if (options_.tokenizer) choice.kind = *options_.tokenizer;
    if (options_.vocab_size) choice.vocab_size = *options_.vocab_size;
    choice.threads = pool_.size();
    return choice;
  }

  void configure() {
    const bool fresh = !checkpoint_;
    const ModelConfig config =
        configure_model(options_, fresh ? default_model() : saved_.identity.model, *tokenizer_);
    state_.identity = {
        config, configure_training(options_, fresh ? TrainSettings{} : saved_.identity.settings, fresh),
        hash_hex(tokens_->content_hash() + state_.field), tokenizer_hash(*tokenizer_)};
    if (!fresh) check_differences();
    loader_.emplace(*tokens_, config.context, state_.identity.settings.validation_share);
    plan_weights(config).check(memory_limits().usable());
    model_ = make_model(config);
    model_->allocate(true);
    if (fresh) model_->initialise(state_.identity.settings.seed);
  }

  void check_differences() {
    const std::vector<std::string> lines = differences(saved_.identity, state_.identity);
    if (lines.empty()) return;
    std::string text;
    for (const std::string& line : lines) text += "\n  " + line;
    if (!options_.force)
      fail_usage("[train] what the checkpoint was trained with expected; --force goes on in spite of it:{}",
                 text);
    log_warning("going on in spite of differences:{}", text);
  }

  void report(const TrainResult& result) const {
    const auto number = [](double value) {
      return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
    };
    if (options_.json) {
      print_out(json_text({{"steps", result.steps},
                           {"train_loss", number(result.train_loss)},
                           {"val_loss", number(result.val_loss.value_or(std::nan("")))},
                           {"tokens_per_second", number(result.tokens_per_second)},
                           {"flops_per_token", number(result.flops_per_token)},
                           {"peak_bytes", result.peak_bytes}},
                          1) +
                "\n");
      return;
    }
    std::string text = fmt::format("{} after {} steps: train loss {:.4f}",
                                   result.stopped ? "stopped" : "done", result.steps, result.train_loss);
    if (result.val_loss) text += fmt::format(", val loss {:.4f}", *result.val_loss);
    print_out(text + fmt::format(", {:.0f} tokens/s, {:.1f} MFLOP per token; {}\n", result.tokens_per_second,
                                 result.flops_per_token / 1e6, options_.out));
  }

  const TrainOptions& options_;
  ThreadPool pool_;
  Display display_;
  RunDirectory run_;
  std::optional<fs::path> checkpoint_;
  TrainerState saved_, state_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<TokenFile> tokens_;
  std::optional<DataLoader> loader_;
  std::unique_ptr<Model> model_;
};

}  // namespace

void add_train(CLI::App& app, const CliContext& context) {
  CLI::App* command = app.add_subcommand("train", "Train a model on text");
  const auto options = std::make_shared<TrainOptions>();
  add_train_options(*command, *options);
  command->callback([options, &context] { TrainCommand(*options, context).run(); });
}

}  // namespace smallmind
