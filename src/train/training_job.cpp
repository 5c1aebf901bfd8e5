// The steps of a training run; see training_job.h.
#include "train/training_job.h"

#include <algorithm>

#include "base/cgroup.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "model/presets.h"
#include "text/tokenizer_json.h"
#include "train/make_tokenizer.h"

namespace smallmind {
namespace {

constexpr std::int32_t kLeastBpeVocab = 257;  // the bytes and the end of text

}  // namespace

TrainingJob::TrainingJob(TrainingRequest request, ThreadPool& pool, std::filesystem::path token_cache,
                         OnStatus on_status)
    : request_(std::move(request)), pool_(pool), on_status_(std::move(on_status)), run_(request_.out) {
  if (!on_status_) on_status_ = [](const std::string&) {};
  find_start();
  read_data(token_cache.empty() ? run_.path() / "tokens" : token_cache);
  configure();
}

TrainResult TrainingJob::run(TrainEvents events) {
  Trainer trainer(*model_, *tokenizer_, *loader_, pool_, run_, state_, request_.rhythm, std::move(events));
  if (checkpoint_)
    trainer.resume(*checkpoint_);
  else
    run_.clear();  // what force replaces goes only now that nothing else is wrong
  return trainer.run();
}

void TrainingJob::find_start() {
  if (request_.resume) {
    checkpoint_ = run_.newest_sound_checkpoint();
    if (!checkpoint_)
      fail_input("[train] a checkpoint to go on from expected, none found ({})", request_.out);
    saved_ = read_trainer_state(*checkpoint_);
  } else if (!run_.checkpoints().empty() && !request_.force) {
    fail_usage(
        "[train] a new directory expected, {} holds a run; --resume goes on with it, --force replaces it",
        request_.out);
  }
  if (request_.data.empty() && !checkpoint_)
    fail_usage("[train] a file or directory with text expected, none given");
}

void TrainingJob::read_data(const std::filesystem::path& token_cache) {
  state_.data_path = request_.data.empty() ? saved_.data_path : request_.data;
  state_.field = request_.field.empty() && checkpoint_ ? saved_.field : request_.field;
  const std::vector<SourceFile> sources = find_sources(state_.data_path);
  TokenizerChoice choice;
  if (request_.tokenizer) choice.kind = *request_.tokenizer;
  if (request_.preset) choice.vocab_size = static_cast<std::int32_t>(preset(*request_.preset).vocab);
  choice.vocab_size = std::max(choice.vocab_size, kLeastBpeVocab);
  if (request_.vocab_size) choice.vocab_size = *request_.vocab_size;
  choice.threads = pool_.size();
  if (checkpoint_ && (!request_.tokenizer || *request_.tokenizer == "char" || *request_.tokenizer == "bpe"))
    tokenizer_ = load_tokenizer(*checkpoint_);
  else
    tokenizer_ =
        make_tokenizer(choice, sources, state_.field, [this](std::int32_t made, std::int32_t wanted) {
          on_status_(fmt::format("tokenizer: {} of {} tokens", made, wanted));
        });
  tokens_.emplace(tokenise(sources, state_.field, *tokenizer_, token_cache,
                           [this](std::uint64_t bytes, std::uint64_t total) {
                             on_status_(fmt::format("tokenising: {} of {} MiB", bytes >> 20, total >> 20));
                           }));
}

void TrainingJob::configure() {
  const bool fresh = !checkpoint_;
  const ModelConfig config =
      configure_model(request_, fresh ? default_model() : saved_.identity.model, *tokenizer_);
  state_.identity = {config,
                     configure_training(request_, fresh ? TrainSettings{} : saved_.identity.settings, fresh),
                     hash_hex(tokens_->content_hash() + state_.field), tokenizer_hash(*tokenizer_)};
  if (!fresh) check_differences();
  loader_.emplace(*tokens_, config.context, state_.identity.settings.validation_share);
  plan_weights(config).check(memory_limits().usable());
  model_ = make_model(config);
  model_->allocate(true);
  if (fresh) model_->initialise(state_.identity.settings.seed);
}

void TrainingJob::check_differences() const {
  const std::vector<std::string> lines = differences(saved_.identity, state_.identity);
  if (lines.empty()) return;
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  if (!request_.force)
    fail_usage("[train] what the checkpoint was trained with expected; --force goes on in spite of it:{}",
               text);
  log_warning("going on in spite of differences:{}", text);
}

}  // namespace smallmind
