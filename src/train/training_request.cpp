// From requests to shapes and settings; see training_request.h.
#include "train/training_request.h"

#include <algorithm>

#include "base/error.h"
#include "model/presets.h"

namespace smallmind {
namespace {

template <class T, class U>
void take(const std::optional<T>& option, U& value) {
  if (option) value = static_cast<U>(*option);
}

}  // namespace

ModelConfig default_model() {
  ModelConfig config;
  config.layers = config.heads = config.kv_heads = 4;
  config.width = 128;
  config.head_width = 32;
  config.ffn = 512;
  config.context = 64;
  config.tied = false;
  return config;
}

ModelConfig configure_model(const TrainingRequest& o, const ModelConfig& base, const Tokenizer& tokenizer) {
  ModelConfig c = o.preset ? preset(*o.preset) : base;
  take(o.arch, c.arch);
  take(o.layers, c.layers);
  take(o.heads, c.heads);
  take(o.width, c.width);
  take(o.context, c.context);
  take(o.dropout, c.dropout);
  if (o.arch) c.activation = c.arch == "llama" ? Activation::silu : Activation::gelu_tanh;
  if (o.heads || o.kv_heads) c.kv_heads = o.kv_heads.value_or(c.heads);
  if (o.heads || o.width) {
    if (c.heads < 1 || c.width % c.heads != 0)
      fail_usage("[train] a width that the heads divide expected, width {} and {} heads given", c.width,
                 c.heads);
    c.head_width = c.width / c.heads;
  }
  // 8/3 D makes the three matrices of SwiGLU as large as GPT-2's two; a multiple of 32 keeps rows aligned.
  if (o.width || o.arch) c.ffn = c.arch == "llama" ? (c.width * 8 / 3 + 31) / 32 * 32 : 4 * c.width;
  take(o.ffn, c.ffn);
  if (o.tied || o.untied) c.tied = o.tied;
  c.vocab = tokenizer.vocab_size();
  c.bos = tokenizer.bos_id().value_or(-1);
  c.eos = tokenizer.eos_id().value_or(-1);
  c.validate();
  return c;
}

TrainSettings configure_training(const TrainingRequest& o, const TrainSettings& base, bool fresh) {
  TrainSettings s = base;
  take(o.batch, s.batch);
  take(o.accumulate, s.accumulate);
  take(o.steps, s.steps);
  take(o.seed, s.seed);
  take(o.skip_loss_z, s.skip_loss_z);
  take(o.skip_norm_z, s.skip_norm_z);
  if (o.schedule) s.schedule.kind = parse_schedule(*o.schedule);
  take(o.lr, s.schedule.lr);
  if (fresh) {
    s.schedule.horizon = std::max<std::int64_t>(1, o.decay_steps.value_or(s.steps));
    s.schedule.min_lr = s.schedule.lr / 10;
    s.schedule.warmup =
        s.schedule.kind == ScheduleKind::one_cycle ? 0 : std::min<std::int64_t>(100, s.schedule.horizon / 10);
  }
  take(o.min_lr, s.schedule.min_lr);
  take(o.warmup, s.schedule.warmup);
  take(o.decay_steps, s.schedule.horizon);
  take(o.decay_factor, s.schedule.decay_factor);
  take(o.decay_every, s.schedule.decay_every);
  take(o.weight_decay, s.optimizer.weight_decay);
  take(o.beta1, s.optimizer.beta1);
  take(o.beta2, s.optimizer.beta2);
  take(o.clip, s.optimizer.clip);
  s.validate();
  return s;
}

}  // namespace smallmind
