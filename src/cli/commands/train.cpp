// smallmind train DATA: a tokenizer, a model and a training run in one command; --resume goes on with one.
#include <nlohmann/json.hpp>

#include <cmath>

#include "base/json.h"
#include "base/signal.h"
#include "base/terminal.h"
#include "cli/command.h"
#include "cli/token_cache.h"
#include "cli/train_options.h"
#include "infer/generate.h"
#include "kernels/dispatch.h"
#include "machine/roofline.h"
#include "train/training_job.h"

namespace smallmind {
namespace {

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
    const std::int64_t left = std::llround(p.seconds_left);
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

void report(const TrainOptions& options, const TrainResult& result) {
  const auto number = [](double value) {
    return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
  };
  if (options.json) {
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
  std::string text = fmt::format("{} after {} steps: train loss {:.4f}", result.stopped ? "stopped" : "done",
                                 result.steps, result.train_loss);
  if (result.val_loss) text += fmt::format(", val loss {:.4f}", *result.val_loss);
  print_out(text + fmt::format(", {:.0f} tokens/s, {:.1f} MFLOP per token; {}\n", result.tokens_per_second,
                               result.flops_per_token / 1e6, options.out));
}

void train(const TrainOptions& options, const CliContext& context) {
  ThreadPool pool(context.thread_count());
  Display display(context.quiet, context.quiet ? 0 : measure_fma(pool, kernels()).value * 1e9);
  TrainingJob job(options, pool, token_cache(),
                  [&](const std::string& status) { display.update([&] { return status; }); });
  const ModelConfig& config = job.model().config();
  display.note(
      fmt::format("{} {}: {} layers, width {}, context {}, {} parameters; {} + {} tokens; {} threads, {}",
                  job.resumed() ? "going on with" : "training", config.arch, config.layers, config.width,
                  config.context, job.model().parameter_count(), job.loader().training_tokens(),
                  job.loader().validation_tokens(), pool.size(), kernels().isa));
  const StopSignals signals;
  const TrainResult result =
      job.run({.on_step = [&](const TrainProgress& p) { display.step(p); },
               .on_evaluation = [&](const TrainProgress& p) { display.evaluation(p); },
               .on_sample = [&](const Model& model,
                                std::int64_t step) { sample(model, job.tokenizer(), pool, step, display); },
               .stop = [] { return StopSignals::requested(); }});
  display.finish();
  report(options, result);
}

}  // namespace

void add_train(CLI::App& app, const CliContext& context) {
  CLI::App* command = app.add_subcommand("train", "Train a model on text");
  const auto options = std::make_shared<TrainOptions>();
  add_train_options(*command, *options);
  command->callback([options, &context] { train(*options, context); });
}

}  // namespace smallmind
