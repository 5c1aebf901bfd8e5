// Reads headers only: the mapped tensor bytes are never touched, so a model of any size is summed up at once.
#include "cli/model_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "io/gguf_reader.h"
#include "io/hf_config.h"
#include "io/safetensors_reader.h"
#include "model/loader.h"
#include "text/tokenizer_json.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

void add_tensors(ModelSummary& summary, std::span<const StoredTensor> tensors) {
  for (const StoredTensor& tensor : tensors) {
    summary.tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.data.size()});
    summary.elements += tensor.elements();
    summary.bytes += tensor.data.size();
  }
}

ModelSummary summarise_directory(const fs::path& path) {
  const fs::path directory = resolve_model_directory(path);
  ModelSummary summary;
  summary.path = directory.string();
  summary.format = "directory";
  summary.config = read_hf_config(directory);
  const TensorSource source = open_safetensors(directory);
  summary.metadata = source.metadata();
  add_tensors(summary, source.tensors());
  if (fs::exists(directory / "tokenizer.json")) {
    const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(directory);
    summary.tokenizer = fmt::format("{}, {} tokens", tokenizer->kind(), tokenizer->vocab_size());
  }
  return summary;
}

ModelSummary summarise_gguf(const fs::path& path) {
  ModelSummary summary;
  summary.path = path.string();
  summary.format = "gguf";
  const MappedFile file(path);
  const GgufContent content = parse_gguf(file.bytes(), summary.path);
  for (const auto& [key, value] : content.metadata) summary.metadata.emplace(key, gguf_text(value));
  const auto arch = summary.metadata.find("general.architecture");
  if (arch != summary.metadata.end() && (arch->second == "gpt2" || arch->second == "llama")) {
    summary.config = gguf_config(content, summary.path);
  }
  add_tensors(summary, content.tensors);
  const GgufValue* tokens = gguf_find(content.metadata, "tokenizer.ggml.tokens");
  if (tokens != nullptr && std::holds_alternative<GgufArray>(*tokens)) {
    summary.tokenizer =
        fmt::format("{} ({}), {} tokens", summary.metadata["tokenizer.ggml.model"],
                    summary.metadata["tokenizer.ggml.pre"], std::get<GgufArray>(*tokens).size());
  }
  return summary;
}

std::string config_text(const ModelConfig& c) {
  std::string text = fmt::format(
      "architecture  {}\nparameters    {}\nlayers        {}\nwidth         {}\nheads         {} of {}, {} "
      "for keys and "
      "values\nffn           {}, {}\nvocabulary    {}\ncontext       {}\nhead          {}\nnorm eps      "
      "{}\n",
      c.arch, c.parameter_count(), c.layers, c.width, c.heads, c.head_width, c.kv_heads, c.ffn,
      activation_name(c.activation), c.vocab, c.context, c.tied ? "tied to the embedding" : "of its own",
      c.norm_eps);
  if (c.arch == "llama") {
    text += fmt::format("rope          theta {}, pairs {}\nbiases        attention {}, ffn {}\n",
                        c.rope_theta, c.rope_interleaved ? "of neighbours" : "across halves",
                        c.attention_bias ? "yes" : "no", c.mlp_bias ? "yes" : "no");
  }
  const auto token = [](std::int32_t id) { return id < 0 ? std::string("none") : std::to_string(id); };
  return text + fmt::format("bos, eos      {}, {}\n", token(c.bos), token(c.eos));
}

nlohmann::ordered_json config_json(const ModelConfig& c) {
  return {{"arch", c.arch},
          {"vocab", c.vocab},
          {"context", c.context},
          {"width", c.width},
          {"layers", c.layers},
          {"heads", c.heads},
          {"kv_heads", c.kv_heads},
          {"head_width", c.head_width},
          {"ffn", c.ffn},
          {"norm_eps", shortest_decimal(c.norm_eps)},
          {"rope_theta", shortest_decimal(c.rope_theta)},
          {"rope_interleaved", c.rope_interleaved},
          {"tied", c.tied},
          {"attention_bias", c.attention_bias},
          {"mlp_bias", c.mlp_bias},
          {"activation", activation_name(c.activation)},
          {"dropout", shortest_decimal(c.dropout)},
          {"bos", c.bos},
          {"eos", c.eos}};
}

}  // namespace

ModelSummary summarise_model(const fs::path& path) {
  if (path.extension() == ".gguf") return summarise_gguf(path);
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    fail_input("[inspect] a model directory or file expected, {} does not exist", path.string());
  if (fs::is_directory(path, ignored)) return summarise_directory(path);
  ModelSummary summary;
  summary.path = path.string();
  summary.format = "safetensors";
  const TensorSource source = open_safetensors(path);
  summary.metadata = source.metadata();
  add_tensors(summary, source.tensors());
  return summary;
}

std::string summary_text(const ModelSummary& summary) {
  std::string text = fmt::format("{} ({})\n", summary.path, summary.format);
  if (summary.config) text += config_text(*summary.config);
  if (!summary.tokenizer.empty()) text += fmt::format("tokenizer     {}\n", summary.tokenizer);
  text += fmt::format("stored        {} tensors, {} values, {} bytes\n", summary.tensors.size(),
                      summary.elements, summary.bytes);
  for (const auto& [key, value] : summary.metadata) text += fmt::format("  {} = {:.80}\n", key, value);
  std::size_t widest = 4;
  for (const TensorSummary& tensor : summary.tensors) widest = std::max(widest, tensor.name.size());
  for (const TensorSummary& tensor : summary.tensors) {
    text += fmt::format("{:<{}}  {:<4}  {:>12}  {}\n", tensor.name, widest, dtype_name(tensor.type),
                        tensor.bytes, fmt::format("({})", fmt::join(tensor.shape, ", ")));
  }
  return text;
}

std::string summary_json(const ModelSummary& summary) {
  nlohmann::ordered_json out{{"path", summary.path}, {"format", summary.format}};
  if (summary.config) {
    out["parameters"] = summary.config->parameter_count();
    out["config"] = config_json(*summary.config);
  }
  if (!summary.tokenizer.empty()) out["tokenizer"] = summary.tokenizer;
  out["metadata"] = summary.metadata;
  out["elements"] = summary.elements;
  out["bytes"] = summary.bytes;
  out["tensors"] = nlohmann::ordered_json::array();
  for (const TensorSummary& tensor : summary.tensors) {
    out["tensors"].push_back({{"name", tensor.name},
                              {"type", dtype_name(tensor.type)},
                              {"shape", tensor.shape},
                              {"bytes", tensor.bytes}});
  }
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace smallmind
