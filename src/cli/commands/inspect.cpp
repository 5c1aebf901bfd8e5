// smallmind inspect: what a model holds; with --logits, what it computes for given token ids.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "base/thread_pool.h"
#include "cli/command.h"
#include "cli/model_summary.h"
#include "kernels/dispatch.h"
#include "model/loader.h"

namespace smallmind {
namespace {

struct InspectOptions {
  std::string model;
  std::string ids;  // a file: a JSON list of token ids
  std::string out;
  bool json = false;
};

std::vector<std::int32_t> read_ids(const std::string& path, std::int64_t vocab) {
  const nlohmann::json list = read_json_file(path);
  if (!list.is_array() || list.empty()) fail_input("[inspect] a JSON list of token ids expected ({})", path);
  std::vector<std::int32_t> ids;
  for (const nlohmann::json& id : list) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= static_cast<std::uint64_t>(vocab)) {
      fail_input("[inspect] token ids from 0 to {} expected, {} found ({})", vocab - 1,
                 json_text(id).substr(0, 40), path);
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

// Writes the logits after each of the ids as little-endian f32, row-major (ids, V).
void write_logits(const InspectOptions& options, const CliContext& context) {
  const std::unique_ptr<Model> model = load_model(resolve_model_directory(options.model));
  const std::vector<std::int32_t> ids = read_ids(options.ids, model->config().vocab);
  const Segment segment{0, static_cast<std::int64_t>(ids.size()), 0, 0};
  const TokenBatch batch{ids, {&segment, 1}};
  ThreadPool pool(context.thread_count());
  AtomicFile file(options.out);
  const auto run = [&](Exec& ex) {
    const Step step(ex);
    const Tensor logits = model->logits(ex, model->forward(ex, batch, nullptr));
    if (ex.measuring()) return;
    for (std::int64_t i = 0; i < logits.rows; ++i) {
      file.append(std::as_bytes(std::span(logits.row(i), static_cast<std::size_t>(logits.cols))));
    }
  };
  Exec dry = Exec::measuring(pool, kernels(), false);
  run(dry);
  Exec ex(pool, kernels(), false, dry.memory());
  run(ex);
  file.commit();
}

void run_inspect(const InspectOptions& options, const CliContext& context) {
  if (options.ids.empty() != options.out.empty())
    fail_usage("[inspect] --logits and --out together expected, one given");
  if (!options.ids.empty()) return write_logits(options, context);
  const ModelSummary summary = summarise_model(options.model);
  print_out(options.json ? summary_json(summary) : summary_text(summary));
}

}  // namespace

void add_inspect(CLI::App& app, const CliContext& context) {
  CLI::App* command = app.add_subcommand("inspect", "Show what a model file or directory holds");
  auto options = std::make_shared<InspectOptions>();
  command
      ->add_option("model", options->model,
                   "A training run, a model directory, a .safetensors or a .gguf file")
      ->required();
  command->add_flag("--json", options->json, "One JSON document");
  command->add_option("--logits", options->ids,
                      "Compute the logits of a JSON list of token ids in this file ...");
  command->add_option("--out", options->out,
                      "... and write them here: f32, little-endian, (ids, vocabulary)");
  command->callback([options, &context] { run_inspect(*options, context); });
}

}  // namespace smallmind
