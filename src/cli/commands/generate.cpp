// smallmind generate: text from a trained model, streamed as it is made.
//
// The text goes to standard output and nothing else does (--json: one document instead), so that output can
// be piped; the timing line goes to standard error. Ctrl-C ends the text after the present token, with status
// 0.
#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "base/json.h"
#include "base/signal.h"
#include "cli/command.h"
#include "infer/generate.h"
#include "infer/packed_weights.h"
#include "model/loader.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

struct Arguments {
  std::string model;
  std::string prompt;
  GenerateOptions options{.sampling = {.temperature = 0.8f}};
  std::optional<std::uint64_t> seed;
  std::string weights = "f32";
  bool ignore_end = false;
  bool echo = false;
  bool json = false;
};

std::string read_standard_input() {
  std::string text;
  char buffer[65536];
  while (const std::size_t count = std::fread(buffer, 1, sizeof(buffer), stdin)) text.append(buffer, count);
  if (std::ferror(stdin) != 0) fail_input("[generate] a prompt on standard input expected, reading failed");
  return text;
}

// An empty prompt means the beginning of a text: the token that begins or separates texts.
std::vector<std::int32_t> prompt_tokens(const Tokenizer& tokenizer, const std::string& prompt) {
  std::vector<std::int32_t> tokens;
  if (const auto bos = tokenizer.bos_id(); bos && prompt.empty()) tokens.push_back(*bos);
  if (const auto eos = tokenizer.eos_id(); eos && prompt.empty() && tokens.empty()) tokens.push_back(*eos);
  tokenizer.encode_into(prompt, tokens);
  if (tokens.empty()) fail_usage("[generate] --prompt expected, the model has no token to begin a text with");
  return tokens;
}

std::string result_json(const Arguments& arguments, const GenerateResult& result, const std::string& text,
                        std::span<const std::int32_t> tokens) {
  const nlohmann::json document = {
      {"prompt", arguments.prompt},
      {"text", text},
      {"tokens", std::vector<std::int32_t>(tokens.begin(), tokens.end())},
      {"finish_reason", finish_reason_name(result.reason)},
      {"seed", arguments.options.sampling.seed},
      {"prompt_tokens", result.prompt_tokens},
      {"dropped_prompt_tokens", result.dropped_tokens},
      {"generated_tokens", result.generated_tokens},
      {"first_token_seconds", result.first_token_seconds},
      {"prompt_tokens_per_second", result.prompt_tokens_per_second()},
      {"decode_tokens_per_second", result.decode_tokens_per_second()},
  };
  return json_text(document, 2) + "\n";
}

void print_notes(const Arguments& arguments, const GenerateResult& result, int threads) {
  if (result.dropped_tokens > 0) {
    fmt::print(stderr, "note: the prompt is longer than the context; its first {} tokens were dropped\n",
               result.dropped_tokens);
  }
  fmt::print(
      stderr,
      "prompt {} tokens, {:.0f} tokens/s, first token after {:.2f} ms; text {} tokens, {:.0f} tokens/s; "
      "end: {}; seed {}; threads {}\n",
      result.prompt_tokens, result.prompt_tokens_per_second(), 1e3 * result.first_token_seconds,
      result.generated_tokens, result.decode_tokens_per_second(), finish_reason_name(result.reason),
      arguments.options.sampling.seed, threads);
}

void run_generate(Arguments arguments, const CliContext& context) {
  arguments.options.sampling.seed = arguments.seed ? *arguments.seed : std::random_device{}();
  arguments.options.stop_at_end = !arguments.ignore_end;
  check_sampling_options(arguments.options.sampling);
  if (arguments.prompt == "-") arguments.prompt = read_standard_input();

  const std::filesystem::path directory = resolve_model_directory(arguments.model);
  const std::unique_ptr<Model> model = load_model(directory);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(directory);
  const std::vector<std::int32_t> prompt = prompt_tokens(*tokenizer, arguments.prompt);
  ThreadPool pool(context.thread_count());
  const PackedWeights packed(*model, pool, weight_type(arguments.weights));
  Session session(*model, pool);
  Generator generator(session, *tokenizer, arguments.options);

  std::string text;
  if (arguments.echo && !arguments.json) print_out(arguments.prompt);
  const auto on_text = [&](std::string_view piece) {
    if (!arguments.json) print_out(piece);
    text += piece;
  };
  const StopSignals signals;
  const GenerateResult result =
      generator.generate(prompt, {.on_text = on_text, .cancelled = [] { return StopSignals::requested(); }});
  if (arguments.json) {
    print_out(result_json(arguments, result, text, generator.tokens()));
  } else if (!text.ends_with('\n')) {
    print_out("\n");
  }
  if (!context.quiet) print_notes(arguments, result, pool.size());
}

}  // namespace

void add_generate(CLI::App& app, const CliContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("generate", "Write text with a trained model");
  SamplingOptions& sampling = arguments->options.sampling;
  command->add_option("model", arguments->model, "Training run or Hugging Face directory")->required();
  command->add_option("--prompt", arguments->prompt, "What the text goes on from; - reads standard input");
  command->add_option("--tokens", arguments->options.max_tokens, "Most tokens to write")
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "Same seed, same text (default: another one each time)");
  command->add_option("--temperature", sampling.temperature, "0: always the most probable token")
      ->capture_default_str();
  command->add_option("--top-k", sampling.top_k, "Choose among the k most probable tokens; 0: all");
  command->add_option("--top-p", sampling.top_p,
                      "Choose among the fewest tokens of probability p in sum; 1: all");
  command->add_option("--min-p", sampling.min_p,
                      "Leave out tokens below p times the best one's probability; 0: none");
  command->add_option("--repeat-penalty", sampling.repetition_penalty,
                      "Weakens tokens that have occurred; 1: off");
  command->add_option("--presence-penalty", sampling.presence_penalty,
                      "Taken from logits of tokens in the text");
  command->add_option("--frequency-penalty", sampling.frequency_penalty,
                      "The same for each time they are there");
  command
      ->add_option("--stop", arguments->options.stops, "End before this string; may be given several times")
      ->allow_extra_args(false);
  command
      ->add_option("--weights", arguments->weights, "Round matrices to f16 or bf16: half the memory traffic")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->capture_default_str();
  command->add_flag("--ignore-end", arguments->ignore_end, "Go on after the end-of-text token");
  command->add_flag("--echo", arguments->echo, "Write the prompt before the text");
  command->add_flag("--json", arguments->json, "One document at the end instead of a stream");
  command->callback([arguments, &context] { run_generate(*arguments, context); });
}

}  // namespace smallmind
