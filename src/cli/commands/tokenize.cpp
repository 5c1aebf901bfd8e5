// smallmind tokenize: text to token ids and back, counting, and learning a tokenizer from a corpus.
//
//   smallmind tokenize MODEL "some text"            ids, separated by spaces
//   smallmind tokenize MODEL --file book.txt --count
//   smallmind tokenize MODEL --decode "15496 995"   the text of ids
//   smallmind tokenize MODEL --jsonl < texts.jsonl  a JSON string per line in, a JSON array of ids per line
//   out smallmind tokenize train corpus.txt --vocab 512 --out tokenizer.json
//
// MODEL is a tokenizer.json or a directory that has one. Without text the command reads standard input. Files
// are bytes: no format is unpacked, nothing is normalised.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <charconv>
#include <chrono>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/terminal.h"
#include "cli/command.h"
#include "tensor/mapped_file.h"
#include "text/bpe_trainer.h"
#include "text/char_tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace smallmind {
namespace {

struct TokenizeOptions {
  std::string model;
  std::string text;
  bool has_text = false;
  std::string file;
  bool decode = false;
  bool count = false;
  bool jsonl = false;
  bool parse_special = false;
  bool json = false;
};

struct TrainOptions {
  std::vector<std::string> corpus;
  std::string out;
  std::string kind = "bpe";
  std::string pattern = "gpt2";
  int32_t vocab = 512;
  uint64_t min_count = 2;
  bool json = false;
};

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.size()};
}

// The text to work on; `owner` holds it where it does not come from the command line.
struct Input {
  MappedFile file;
  std::string owned;
  std::string_view text;
};

Input read_input(const TokenizeOptions& options) {
  if (options.has_text && !options.file.empty())
    fail_usage("[tokenize] a text or --file expected, both found");
  Input input;
  if (!options.file.empty() && options.file != "-") {
    input.file = MappedFile(options.file, Access::sequential);
    input.text = text_of(input.file);
  } else {
    input.owned = options.has_text ? options.text : std::string(std::istreambuf_iterator<char>(std::cin), {});
    input.text = input.owned;
  }
  return input;
}

std::vector<int32_t> parse_ids(std::string_view text) {
  constexpr std::string_view kBetween = " \t\r\n,[]";
  std::vector<int32_t> ids;
  for (size_t pos = text.find_first_not_of(kBetween); pos != std::string_view::npos;
       pos = text.find_first_not_of(kBetween, pos)) {
    const size_t end = std::min(text.find_first_of(kBetween, pos), text.size());
    const std::string_view word = text.substr(pos, end - pos);
    int32_t id = 0;
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || rest != word.data() + word.size()) {
      fail_input("[tokenize] a token id expected, \"{}\" found (byte {})", word.substr(0, 40), pos);
    }
    ids.push_back(id);
    pos = end;
  }
  return ids;
}

// One JSON string per line to one JSON array of ids per line.
void encode_lines(const Tokenizer& tokenizer, std::string_view text, bool parse_special) {
  std::vector<int32_t> ids;
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string where = fmt::format("line {}", line);
    const nlohmann::json value = parse_json(text.substr(0, end), where);
    if (!value.is_string())
      fail_input("[tokenize] a JSON string expected, {} found ({})", value.type_name(), where);
    ids.clear();
    tokenizer.encode_into(value.get_ref<const std::string&>(), ids, parse_special);
    print_out(fmt::format("[{}]\n", fmt::join(ids, ",")));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void decode_ids(const Tokenizer& tokenizer, const TokenizeOptions& options, std::string_view text) {
  const std::vector<int32_t> ids = parse_ids(text);
  const std::string decoded = tokenizer.decode(ids, options.parse_special);
  if (!options.json) {
    print_out(decoded);
    return;
  }
  std::string valid;
  append_valid_utf8(valid, decoded);
  print_out(json_text({{"tokens", ids.size()}, {"text", valid}}) + "\n");
}

void encode_text(const Tokenizer& tokenizer, const TokenizeOptions& options, std::string_view text) {
  const std::vector<int32_t> ids = tokenizer.encode(text, options.parse_special);
  if (options.json) {
    nlohmann::json result = {{"kind", tokenizer.kind()},
                             {"vocab_size", tokenizer.vocab_size()},
                             {"bytes", text.size()},
                             {"tokens", ids.size()}};
    if (!options.count) result["ids"] = ids;
    print_out(json_text(result) + "\n");
  } else if (options.count) {
    print_out(fmt::format("{}\n", ids.size()));
  } else {
    print_out(fmt::format("{}\n", fmt::join(ids, " ")));
  }
}

void run_tokenize(const TokenizeOptions& options) {
  if (options.model.empty())
    fail_usage("[tokenize] a tokenizer.json, a model's directory or \"train\" expected");
  if (options.decode + options.count + options.jsonl > 1) {
    fail_usage("[tokenize] one of --decode, --count and --jsonl expected, several found");
  }
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(options.model);
  const Input input = read_input(options);
  if (options.jsonl) {
    encode_lines(*tokenizer, input.text, options.parse_special);
  } else if (options.decode) {
    decode_ids(*tokenizer, options, input.text);
  } else {
    encode_text(*tokenizer, options, input.text);
  }
}

std::unique_ptr<Tokenizer> train_char(const std::vector<std::string>& corpus) {
  std::string characters;  // of the files so far
  for (const std::string& path : corpus) {
    const MappedFile file(path, Access::sequential);
    const auto known = CharTokenizer::from_text(text_of(file));
    for (int32_t id = 0; id < known->vocab_size(); ++id) {
      if (!known->is_special(id)) characters += known->token_bytes(id);
    }
  }
  return CharTokenizer::from_text(characters);
}

std::unique_ptr<Tokenizer> train_bpe(const TrainOptions& options, const CliContext& context) {
  BpeTrainer trainer({.vocab_size = options.vocab,
                      .pattern = std::string(options.pattern == "gpt2" ? kGpt2Pattern : kLlama3Pattern),
                      .end_of_text = options.vocab != 256,  // 256 is the bytes alone
                      .min_count = options.min_count,
                      .threads = context.thread_count()});
  std::unique_ptr<ProgressLine> progress = context.quiet ? nullptr : std::make_unique<ProgressLine>(stderr);
  for (const std::string& path : options.corpus) {
    const MappedFile file(path, Access::sequential);
    if (progress)
      progress->update(fmt::format("counting {} ({:.1f} MB)", path, static_cast<double>(file.size()) * 1e-6));
    trainer.add(text_of(file));
  }
  if (progress && trainer.counter().dropped() > 0) {
    progress->print(fmt::format("{} occurrences of rare pieces were dropped to bound memory",
                                trainer.counter().dropped()));
  }
  return trainer.train([&](int32_t made, int32_t wanted, uint64_t count) {
    if (progress && progress->due())
      progress->update(fmt::format("merge {} of {}, count {}", made, wanted, count));
    return true;
  });
}

void run_train(const TrainOptions& options, const CliContext& context) {
  const auto start = std::chrono::steady_clock::now();
  const std::unique_ptr<Tokenizer> tokenizer =
      options.kind == "char" ? train_char(options.corpus) : train_bpe(options, context);
  save_tokenizer(*tokenizer, options.out);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (options.json) {
    print_out(json_text({{"kind", tokenizer->kind()},
                         {"vocab_size", tokenizer->vocab_size()},
                         {"file", options.out},
                         {"seconds", seconds.count()}}) +
              "\n");
  } else if (!context.quiet) {
    print_out(fmt::format("{}: {} tokenizer of {} tokens, {:.2f} s\n", options.out, tokenizer->kind(),
                          tokenizer->vocab_size(), seconds.count()));
  }
}

void add_train(CLI::App& tokenize, const CliContext& context) {
  CLI::App* command = tokenize.add_subcommand("train", "Learn a tokenizer from text files");
  const auto options = std::make_shared<TrainOptions>();
  command->add_option("corpus", options->corpus, "Text files")->required();
  command->add_option("--out", options->out, "The tokenizer.json to write")->required();
  command->add_option("--tokenizer", options->kind, "bpe or char")
      ->check(CLI::IsMember({"bpe", "char"}))
      ->capture_default_str();
  command
      ->add_option("--vocab", options->vocab,
                   "Tokens, with the 256 bytes and the end of text (256: the bytes alone)")
      ->check(CLI::Range(256, 1 << 24))
      ->capture_default_str();
  command->add_option("--pattern", options->pattern, "Pre-tokenizer of bpe: gpt2 or llama3")
      ->check(CLI::IsMember({"gpt2", "llama3"}))
      ->capture_default_str();
  command->add_option("--min-count", options->min_count, "Merge no pair that occurs less often")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->callback([options, &context] { run_train(*options, context); });
}

}  // namespace

void add_tokenize(CLI::App& app, const CliContext& context) {
  CLI::App* command = app.add_subcommand("tokenize", "Text to token ids and back; learn a tokenizer");
  const auto options = std::make_shared<TokenizeOptions>();
  command->add_option("model", options->model, "tokenizer.json, or the directory of a model or run");
  CLI::Option* text =
      command->add_option("text", options->text, "Text (or ids); standard input where absent");
  command->add_option("--file", options->file, "Read the text (or ids) from this file, - is standard input");
  command->add_flag("--decode", options->decode, "Ids to text");
  command->add_flag("--count", options->count, "Print the number of tokens only");
  command->add_flag("--jsonl", options->jsonl,
                    "Read a JSON string per line, print a JSON array of ids per line");
  command->add_flag("--parse-special", options->parse_special,
                    "Control tokens in the text become those tokens; with --decode they are shown");
  command->add_flag("--json", options->json, "Print the result as JSON");
  add_train(*command, context);
  command->callback([command, options, text] {
    if (!command->get_subcommands().empty()) return;  // its callback does the work
    options->has_text = text->count() > 0;
    run_tokenize(*options);
  });
}

}  // namespace smallmind
