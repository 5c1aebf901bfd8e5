// See train_options.h.
#include "cli/train_options.h"

#include <sstream>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "model/presets.h"

namespace smallmind {
namespace {

std::string joined(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

void add_model_options(CLI::App& command, TrainOptions& o) {
  const char* group = "Model";
  command.add_option("--preset", o.preset, "Shape by name: " + joined(preset_names()))->group(group);
  command.add_option("--arch", o.arch, "Architecture: gpt2 or llama (default gpt2)")->group(group);
  command.add_option("--layers", o.layers, "Layers (default 4)")->group(group);
  command.add_option("--heads", o.heads, "Query heads (default 4)")->group(group);
  command.add_option("--kv-heads", o.kv_heads, "Key and value heads, llama only (default: as many as heads)")
      ->group(group);
  command.add_option("--width", o.width, "Width of the hidden rows (default 128)")->group(group);
  command.add_option("--ffn", o.ffn, "Width of the feed-forward part (default: gpt2 4 widths, llama 8/3)")
      ->group(group);
  command.add_option("--context", o.context, "Tokens that the model sees at once (default 64)")->group(group);
  command.add_option("--dropout", o.dropout, "Probability of dropout (default 0)")->group(group);
  CLI::Option* tied = command.add_flag("--tied", o.tied, "The head is the token embedding")->group(group);
  command.add_flag("--untied", o.untied, "The head has weights of its own (default, but for presets)")
      ->group(group)
      ->excludes(tied);
}

void add_data_options(CLI::App& command, TrainOptions& o) {
  command.add_option("data", o.data, "File or directory: text, json, jsonl, csv, tsv, xml");
  const char* group = "Data";
  command.add_option("--field", o.field, "Field, column or element that holds the text (default: text)")
      ->group(group);
  command.add_option("--tokenizer", o.tokenizer, "char, bpe, or the path of a tokenizer.json (default bpe)")
      ->group(group);
  command
      .add_option("--vocab-size", o.vocab_size,
                  "Tokens of a new bpe tokenizer (default: the preset's, else 1024)")
      ->group(group);
}

void add_optimizer_options(CLI::App& command, TrainOptions& o) {
  const char* group = "Training";
  command.add_option("--batch", o.batch, "Windows per forward pass (default 12)")->group(group);
  command.add_option("--accumulate", o.accumulate, "Forward passes per step (default 1)")->group(group);
  command.add_option("--steps", o.steps, "Steps in all (default 2000)")->group(group);
  command.add_option("--lr", o.lr, "Largest learning rate (default 0.001)")->group(group);
  command.add_option("--min-lr", o.min_lr, "Least learning rate (default: a tenth of --lr)")->group(group);
  command
      .add_option("--warmup", o.warmup, "Steps of warm-up (default 100, at most a tenth of --decay-steps)")
      ->group(group);
  command.add_option("--schedule", o.schedule, joined(schedule_names()) + " (default cosine)")->group(group);
  command.add_option("--decay-steps", o.decay_steps, "Steps over which the rate falls (default: --steps)")
      ->group(group);
  command
      .add_option("--decay-factor", o.decay_factor, "step, exponential: factor per decay step (default 0.1)")
      ->group(group);
  command
      .add_option("--decay-every", o.decay_every, "step, exponential: steps per factor (default: a third)")
      ->group(group);
  command.add_option("--weight-decay", o.weight_decay, "Decay of matrices (default 0.1)")->group(group);
  command.add_option("--beta1", o.beta1, "AdamW's first moment (default 0.9)")->group(group);
  command.add_option("--beta2", o.beta2, "AdamW's second moment (default 0.99)")->group(group);
  command.add_option("--clip", o.clip, "Largest norm of the gradients, 0: any (default 1)")->group(group);
  command.add_option("--seed", o.seed, "Seed of everything that is random (default 1337)")->group(group);
  command
      .add_option("--skip-loss-z", o.skip_loss_z,
                  "Skip steps with a loss that many deviations up (default 0: none)")
      ->group(group);
  command.add_option("--skip-norm-z", o.skip_norm_z, "The same for the gradients' norm (default 0: none)")
      ->group(group);
}

void add_run_options(CLI::App& command, TrainOptions& o) {
  const char* group = "Run";
  command.add_option("--out", o.out, "Directory of the run")->capture_default_str()->group(group);
  command.add_option("--eval-every", o.rhythm.evaluate, "Steps between evaluations, 0: at the end")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group(group);
  command.add_option("--save-every", o.rhythm.save, "Steps between checkpoints, 0: at the end")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group(group);
  command.add_option("--keep", o.rhythm.keep, "Checkpoints to keep besides the best, 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group(group);
  command.add_option("--sample-every", o.rhythm.sample, "Steps between samples of text, 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group(group);
  command.add_flag("--resume", o.resume, "Go on from the latest checkpoint of --out")->group(group);
  command.add_flag("--force", o.force, "Replace a run; with --resume: go on in spite of differences")
      ->group(group);
  command.add_flag("--json", o.json, "End with one JSON document")->group(group);
}

}  // namespace

void add_train_options(CLI::App& command, TrainOptions& options) {
  add_data_options(command, options);
  add_model_options(command, options);
  add_optimizer_options(command, options);
  add_run_options(command, options);
}

}  // namespace smallmind
