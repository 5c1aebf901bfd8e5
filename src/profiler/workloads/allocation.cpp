// allocation: what each stage of the two reference models' lives takes from the heap and from the arenas.
// Times stand beside it; the counts are the point: constructing takes memory, working takes none.
#include "infer/packed_weights.h"
#include "infer/session.h"
#include "profiler/workloads/workloads.h"
#include "train/step.h"

namespace smallmind {
namespace {

struct Names {
  const char *preset, *session, *prompt, *token, *set_up, *step;
  Index batch;
};

void session_parts(WorkloadRun& run, const Names& names) {
  const auto model = reference_model(names.preset, false, run.options().seed);
  const auto prompt = random_tokens(10, model->config().vocab, run.options().seed);
  PartSpec spec{.name = names.session, .unit = "ms", .item = "session"};
  spec.pass = [&](int) {
    const Zone zone("session");
    const PackedWeights packed(*model, run.pool());
    const Session session(*model, run.pool());
  };
  run.part(spec);
  const PackedWeights packed(*model, run.pool());
  Session session(*model, run.pool());
  spec = {.name = names.prompt, .unit = "ms", .item = "prompt"};
  spec.pass = [&](int) {
    session.reset();
    session.prefill(prompt);
  };
  run.part(spec);
  constexpr Index kTokens = 40;
  spec = {.name = names.token, .unit = "ms", .amount = kTokens, .item = "token", .items = kTokens};
  spec.pass = [&](int) {
    session.truncate(static_cast<Index>(prompt.size()));
    for (Index i = 0; i < kTokens; ++i) session.decode(prompt[static_cast<std::size_t>(i) % prompt.size()]);
  };
  run.part(spec);
}

void training_parts(WorkloadRun& run, const Names& names) {
  const auto model = reference_model(names.preset, true, run.options().seed);
  TrainSettings settings;
  settings.batch = names.batch;
  PartSpec spec{.name = names.set_up, .unit = "ms", .item = "set-up"};
  spec.pass = [&](int) {
    const Zone zone("set_up");
    const TrainingStep step(*model, settings, run.pool(),
                            measure_pass(*model, run.pool(), names.batch, true));
  };
  run.part(spec);
  training_part(run, names.step, *model, names.batch);
}

}  // namespace

void run_allocation(WorkloadRun& run) {
  for (const Names& names :
       {Names{"small", "small, session", "small, prompt of 10 tokens", "small, decoded token",
              "small, training set-up", "small, training step of 32 x 64", 32},
        Names{"medium", "medium, session", "medium, prompt of 10 tokens", "medium, decoded token",
              "medium, training set-up", "medium, training step of 16 x 128", 16}}) {
    session_parts(run, names);
    training_parts(run, names);
  }
}

}  // namespace smallmind
