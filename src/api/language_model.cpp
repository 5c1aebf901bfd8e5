// LanguageModel over Session and Generator; see smallmind/language_model.h.
#include "smallmind/language_model.h"

#include "base/cgroup.h"
#include "infer/generate.h"
#include "infer/packed_weights.h"
#include "infer/session.h"
#include "model/loader.h"
#include "text/tokenizer_json.h"

namespace smallmind {

struct LanguageModel::Impl {
  Impl(const std::filesystem::path& directory, const LoadModelOptions& options)
      : pool(options.threads > 0 ? options.threads : available_threads()),
        model(load_model(directory)),
        tokenizer(load_tokenizer(directory / "tokenizer.json")),
        packed(*model, pool),
        session(*model, pool, {.context = options.context}) {}

  ThreadPool pool;
  std::unique_ptr<Model> model;
  std::unique_ptr<Tokenizer> tokenizer;
  PackedWeights packed;
  Session session;
};

LanguageModel::LanguageModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageModel::~LanguageModel() = default;
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;
LanguageModel& LanguageModel::operator=(LanguageModel&&) noexcept = default;

LanguageModel LanguageModel::load(const std::filesystem::path& path, const LoadModelOptions& options) {
  if (options.threads < 0) fail_usage("[load] 0 or more threads expected, {} given", options.threads);
  return LanguageModel(std::make_unique<Impl>(resolve_model_directory(path), options));
}

ModelInfo LanguageModel::info() const {
  const ModelConfig& c = impl_->model->config();
  return {c.arch,    impl_->model->parameter_count(), c.vocab, c.context, c.width, c.layers, c.heads,
          c.kv_heads};
}

std::vector<std::int32_t> LanguageModel::tokenize(std::string_view text) const {
  return impl_->tokenizer->encode(text);
}

std::string LanguageModel::detokenize(std::span<const std::int32_t> tokens) const {
  return impl_->tokenizer->decode(tokens);
}

GenerationResult LanguageModel::generate(std::string_view prompt, const GenerationOptions& options,
                                         const OnText& on_text, std::stop_token stop) {
  GenerateOptions inner;
  inner.sampling = {.temperature = options.temperature,
                    .top_k = options.top_k,
                    .top_p = options.top_p,
                    .min_p = options.min_p,
                    .repetition_penalty = options.repetition_penalty,
                    .presence_penalty = options.presence_penalty,
                    .frequency_penalty = options.frequency_penalty,
                    .seed = options.seed};
  inner.max_tokens = options.max_tokens;
  inner.stops = options.stops;
  GenerationResult result;
  bool wanted = true;
  GenerateCallbacks callbacks;
  callbacks.on_text = [&](std::string_view text) {
    result.text += text;
    if (on_text) wanted = on_text(text) && wanted;
  };
  callbacks.cancelled = [&] { return !wanted || stop.stop_requested(); };
  Generator generator(impl_->session, *impl_->tokenizer, inner);
  const GenerateResult done = generator.generate(tokenize(prompt), callbacks);
  result.finish_reason = finish_reason_name(done.reason);
  result.prompt_tokens = done.prompt_tokens;
  result.generated_tokens = done.generated_tokens;
  result.first_token_seconds = done.first_token_seconds;
  result.decode_seconds = done.decode_seconds;
  return result;
}

std::vector<float> LanguageModel::logits(std::span<const std::int32_t> tokens) {
  Session& session = impl_->session;
  if (tokens.empty() || static_cast<Index>(tokens.size()) > session.context())
    fail_usage("[logits] 1 to {} tokens expected, {} given", session.context(), tokens.size());
  session.reset();
  std::vector<float> rows;
  for (const std::int32_t token : tokens) {
    const std::span<const float> row = session.decode(token);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

}  // namespace smallmind
