// train() over TrainingJob; see smallmind/train.h.
#include "smallmind/train.h"

#include "base/cgroup.h"
#include "base/error.h"
#include "train/training_job.h"

namespace smallmind {
namespace {

template <class T>
std::optional<T> unless_zero(T value) {
  return value == T{} ? std::nullopt : std::optional<T>(std::move(value));
}

TrainingRequest as_request(const TrainOptions& o) {
  TrainingRequest r;
  r.data = o.data.string();
  r.out = o.out.string();
  r.field = o.field;
  // A resumed run keeps what its checkpoint says: what would be learned anew is not asked for again.
  if (!o.resume || (o.tokenizer != "char" && o.tokenizer != "bpe")) r.tokenizer = o.tokenizer;
  r.vocab_size = o.vocab_size;
  r.preset = unless_zero(o.preset);
  r.arch = unless_zero(o.arch);
  r.layers = unless_zero(o.layers);
  r.heads = unless_zero(o.heads);
  r.kv_heads = unless_zero(o.kv_heads);
  r.width = unless_zero(o.width);
  r.ffn = unless_zero(o.ffn);
  r.context = unless_zero(o.context);
  r.dropout = o.dropout;
  r.batch = o.batch;
  r.accumulate = o.accumulate;
  r.steps = o.steps;
  r.lr = o.learning_rate;
  r.weight_decay = o.weight_decay;
  r.seed = o.seed;
  r.rhythm.evaluate = o.evaluate_every;
  r.rhythm.save = o.save_every;
  r.resume = o.resume;
  r.force = o.replace;
  return r;
}

}  // namespace

TrainReport train(const TrainOptions& options, const OnTrainStatus& on_status, std::stop_token stop) {
  if (options.threads < 0) fail_usage("[train] 0 or more threads expected, {} given", options.threads);
  if (options.resume && options.replace) fail_usage("[train] either resume or replace expected, both given");
  ThreadPool pool(options.threads > 0 ? options.threads : available_threads());
  TrainingJob job(as_request(options), pool);
  bool wanted = true;
  TrainEvents events;
  events.on_step = [&](const TrainProgress& p) {
    if (on_status && !on_status({p.step, p.steps, p.loss, p.val_loss, p.tokens_per_second, p.seconds_left}))
      wanted = false;
  };
  events.stop = [&] { return !wanted || stop.stop_requested(); };
  const TrainResult result = job.run(std::move(events));
  return {result.steps,           result.train_loss, result.val_loss, result.tokens_per_second,
          result.flops_per_token, result.peak_bytes, result.stopped};
}

}  // namespace smallmind
