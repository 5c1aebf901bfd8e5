// See trainer.h.
#include "train/trainer.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/cgroup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/zone.h"

namespace smallmind {
namespace {

constexpr std::int64_t kMostRollbacks = 3;
constexpr double kAveraging = 0.05;  // weight of the newest step in the moving average of speed

std::int64_t peak_resident_bytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

bool due(std::int64_t step, std::int64_t every) {
  return every > 0 && step % every == 0;
}

bool finite_values(const Model& model) {
  return std::all_of(model.values().begin(), model.values().end(),
                     [](float value) { return std::isfinite(value); });
}

MemoryPlan checked_plan(const Model& model, const PassNeeds& training, const PassNeeds& evaluation) {
  MemoryPlan plan = plan_memory(model, training, evaluation);
  plan.check(memory_limits().usable());
  return plan;
}

}  // namespace

Trainer::Trainer(Model& model, const Tokenizer& tokenizer, const DataLoader& loader, ThreadPool& pool,
                 RunDirectory& run, const TrainerState& start, const TrainRhythm& rhythm, TrainEvents events)
    : model_(model),
      tokenizer_(tokenizer),
      loader_(loader),
      run_(run),
      state_(start),
      rhythm_(rhythm),
      events_(std::move(events)),
      training_needs_(measure_pass(model, pool, start.identity.settings.batch, true)),
      evaluation_needs_(measure_pass(model, pool, start.identity.settings.batch, false)),
      plan_(checked_plan(model, training_needs_, evaluation_needs_)),
      step_(model, state_.identity.settings, pool, training_needs_),
      evaluator_(model, pool, start.identity.settings.batch, evaluation_needs_) {
  state_.identity.settings.validate();
}

void Trainer::resume(const std::filesystem::path& checkpoint) {
  const TrainerState saved = read_trainer_state(checkpoint);
  load_checkpoint(checkpoint, model_, step_.optimizer());
  const RunIdentity identity = state_.identity;
  const std::string data_path = state_.data_path, field = state_.field;
  state_ = saved;
  state_.identity = identity;
  state_.data_path = data_path;
  state_.field = field;
  last_.loss = saved.train_loss;
  saved_step_ = saved.step;
  if (saved.val_loss) evaluated_step_ = saved.step;
}

TrainProgress Trainer::progress() const {
  const TrainSettings& settings = state_.identity.settings;
  const auto tokens = static_cast<double>(step_.tokens_per_step());
  const double rate = recent_seconds_ > 0 ? tokens / recent_seconds_ : 0;
  const double flops =
      static_cast<double>(training_needs_.cost.flops) * static_cast<double>(settings.accumulate);
  return {state_.step,
          settings.steps,
          last_.loss,
          last_rate_,
          last_.gradient_norm,
          state_.val_loss,
          rate,
          recent_seconds_ > 0 ? flops / recent_seconds_ : 0,
          recent_seconds_ * static_cast<double>(settings.steps - state_.step)};
}

void Trainer::one_step() {
  const Zone zone("step");
  const auto start = std::chrono::steady_clock::now();
  const TrainSettings& settings = state_.identity.settings;
  last_rate_ = settings.schedule.rate(state_.step) * state_.lr_scale;
  last_ = step_.gradients(loader_, state_.step);
  const bool spike =
      (settings.skip_loss_z > 0 && state_.loss_window.z_score(last_.loss) > settings.skip_loss_z) ||
      (settings.skip_norm_z > 0 && state_.norm_window.z_score(last_.gradient_norm) > settings.skip_norm_z);
  const bool apply = last_.finite() && !spike;
  if (apply) step_.update(last_rate_);
  if (last_.finite()) {
    state_.loss_window.add(last_.loss);
    state_.norm_window.add(last_.gradient_norm);
  }
  ++state_.step;
  state_.updates = step_.optimizer().updates();
  state_.train_loss = last_.loss;
  state_.skipped += !apply;
  bad_in_a_row_ = last_.finite() ? 0 : bad_in_a_row_ + 1;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  step_seconds_ += seconds;
  recent_seconds_ =
      steps_timed_++ == 0 ? seconds : recent_seconds_ + kAveraging * (seconds - recent_seconds_);
  log_->step({state_.step, last_.loss, last_rate_, last_.gradient_norm,
              static_cast<double>(step_.tokens_per_step()) / seconds, !apply});
  if (events_.on_step) events_.on_step(progress());
}

// The weights are still those of the last good step: a gradient that is not finite was never applied.
void Trainer::bad_step() {
  const TrainSettings& settings = state_.identity.settings;
  log_warning("[train] a finite loss and gradient expected, {} and {} found in step {}; it was skipped",
              last_.loss, last_.gradient_norm, state_.step);
  if (bad_in_a_row_ < settings.most_bad_steps) return;
  const std::int64_t from = state_.step, rollbacks = state_.rollbacks + 1;
  const double lr_scale = state_.lr_scale * 0.5;
  const auto checkpoint = rollbacks > kMostRollbacks ? std::nullopt : run_.newest_sound_checkpoint();
  if (!checkpoint)
    fail(ErrorCode::diverged, "[train] a finite loss expected, {} steps in a row up to step {} had none; {}",
         bad_in_a_row_, from,
         rollbacks > kMostRollbacks ? "going back to a checkpoint did not help"
                                    : "there is no checkpoint to go back to");
  resume(*checkpoint);
  state_.rollbacks = rollbacks;
  state_.lr_scale = lr_scale;
  bad_in_a_row_ = 0;
  log_ = std::make_unique<TrainLog>(run_.log_path(), std::max<std::int64_t>(state_.step, 1));
  log_warning("[train] back at step {}, the learning rate is now {} of the schedule's", state_.step,
              lr_scale);
}

void Trainer::evaluate() {
  if (evaluated_step_ == state_.step) return;
  const std::optional<double> loss = evaluator_.loss(loader_, events_.stop);
  if (!loss) return;
  state_.val_loss = loss;
  evaluated_step_ = state_.step;
  log_->evaluation(state_.step, *loss);
  if (events_.on_evaluation) events_.on_evaluation(progress());
}

bool Trainer::save(bool last) {
  if (saved_step_ == state_.step) return true;
  const Zone zone("save", {.phase = Phase::io});
  if (!finite_values(model_)) {
    log_warning("[train] finite weights expected, step {} is not saved", state_.step);
    return false;
  }
  TrainerState state = state_;
  const bool fresh = evaluated_step_ == state_.step && state.val_loss && std::isfinite(*state.val_loss);
  if (!fresh) state.val_loss.reset();
  const bool best = fresh && (state.best_step < 0 || *state.val_loss < state.best_val_loss);
  if (best) {
    state.best_step = state.step;
    state.best_val_loss = *state.val_loss;
  }
  try {
    write_checkpoint(run_.checkpoint_path(state.step), model_, step_.optimizer(), tokenizer_, state,
                     run_.file_system());
    run_.publish(state.step, best);
    run_.prune(rhythm_.keep);
  } catch (const Error& e) {
    if (last || e.code() != ErrorCode::bad_input) throw;
    log_warning("{}; training goes on", e.what());
    return false;
  }
  state_.best_step = state.best_step;
  state_.best_val_loss = state.best_val_loss;
  saved_step_ = state.step;
  return true;
}

TrainResult Trainer::run() {
  const std::int64_t steps = state_.identity.settings.steps;
  log_ = std::make_unique<TrainLog>(run_.log_path(), state_.step);
  while (state_.step < steps && !stopping()) {
    one_step();
    if (bad_in_a_row_ > 0) {
      bad_step();
      continue;
    }
    const bool save_now = due(state_.step, rhythm_.save) || state_.step == steps;
    if (save_now || due(state_.step, rhythm_.evaluate)) evaluate();
    if (due(state_.step, rhythm_.sample) && events_.on_sample) events_.on_sample(model_, state_.step);
    if (save_now && !stopping()) save(state_.step == steps);
  }
  if (state_.step == steps) evaluate();
  save(true);
  const auto tokens = static_cast<double>(step_.tokens_per_step());
  const double flops = static_cast<double>(training_needs_.cost.flops) *
                       static_cast<double>(state_.identity.settings.accumulate);
  return {
      .steps = state_.step,
      .train_loss = state_.train_loss,
      .val_loss = evaluated_step_ == state_.step ? state_.val_loss : std::nullopt,
      .tokens_per_second = step_seconds_ > 0 ? tokens * static_cast<double>(steps_timed_) / step_seconds_ : 0,
      .flops_per_token = flops / tokens,
      .peak_bytes = peak_resident_bytes(),
      .stopped = state_.step < steps};
}

}  // namespace smallmind
