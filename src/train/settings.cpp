// TrainSettings as JSON, and what differs between two runs; see settings.h.
#include "train/settings.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "io/hf_config.h"

namespace smallmind {
namespace {

using nlohmann::json;

json to_json(const TrainSettings& s) {
  return {{"batch", s.batch},
          {"accumulate", s.accumulate},
          {"steps", s.steps},
          {"seed", std::to_string(s.seed)},  // 64 bits do not fit JSON's common numbers
          {"validation_share", s.validation_share},
          {"schedule", schedule_name(s.schedule.kind)},
          {"lr", s.schedule.lr},
          {"min_lr", s.schedule.min_lr},
          {"warmup", s.schedule.warmup},
          {"horizon", s.schedule.horizon},
          {"decay_share", s.schedule.decay_share},
          {"decay_factor", s.schedule.decay_factor},
          {"decay_every", s.schedule.decay_every},
          {"beta1", s.optimizer.beta1},
          {"beta2", s.optimizer.beta2},
          {"epsilon", s.optimizer.epsilon},
          {"weight_decay", s.optimizer.weight_decay},
          {"clip", s.optimizer.clip},
          {"skip_loss_z", s.skip_loss_z},
          {"skip_norm_z", s.skip_norm_z},
          {"most_bad_steps", s.most_bad_steps}};
}

void add_differences(const json& saved, const json& now, std::vector<std::string>& lines) {
  json all = saved;
  all.update(now);
  for (const auto& [key, unused] : all.items()) {
    if (key == "steps") continue;
    const std::string before = saved.contains(key) ? json_text(saved[key]) : "nothing";
    const std::string after = now.contains(key) ? json_text(now[key]) : "nothing";
    if (before != after) lines.push_back(fmt::format("{}: {} in the checkpoint, {} now", key, before, after));
  }
}

}  // namespace

void TrainSettings::validate() const {
  const auto check = [](bool good, const char* field, double value) {
    if (!good) fail_usage("[train] a meaningful {} expected, {} given", field, value);
  };
  check(batch >= 1 && batch <= 1'000'000, "batch", static_cast<double>(batch));
  check(accumulate >= 1 && accumulate <= 1'000'000, "accumulation", static_cast<double>(accumulate));
  check(steps >= 0 && steps * accumulate < std::int64_t{1} << 32, "number of steps",
        static_cast<double>(steps));
  check(validation_share > 0 && validation_share < 1, "share of the validation part", validation_share);
  check(skip_loss_z >= 0, "threshold of loss spikes", skip_loss_z);
  check(skip_norm_z >= 0, "threshold of gradient spikes", skip_norm_z);
  check(most_bad_steps >= 1, "limit of bad steps", static_cast<double>(most_bad_steps));
  schedule.validate();
  optimizer.validate();
}

std::vector<std::string> differences(const RunIdentity& saved, const RunIdentity& now) {
  std::vector<std::string> lines;
  if (saved.data_hash != now.data_hash) lines.push_back("data: other contents than those of the checkpoint");
  if (saved.tokenizer_hash != now.tokenizer_hash) lines.push_back("tokenizer: another than the checkpoint's");
  add_differences(parse_json(hf_config_json(saved.model), "config"),
                  parse_json(hf_config_json(now.model), "config"), lines);
  add_differences(to_json(saved.settings), to_json(now.settings), lines);
  return lines;
}

std::string settings_to_json(const TrainSettings& settings) {
  return json_text(to_json(settings));
}

TrainSettings settings_from_json(std::string_view text, std::string_view where) {
  const json object = parse_json(text, where);
  const auto integer = [&](const char* key) { return json_int(object, key, where); };
  const auto number = [&](const char* key) { return json_number(object, key, where); };
  const auto real = [&](const char* key) { return static_cast<float>(number(key)); };
  TrainSettings s;
  s.batch = integer("batch");
  s.accumulate = integer("accumulate");
  s.steps = integer("steps");
  const std::string seed = json_string(object, "seed", where);
  if (seed.empty() || seed.size() > 20 || seed.find_first_not_of("0123456789") != std::string::npos)
    fail_input("[train] 'seed' expected to be a number in quotes, \"{}\" found ({})", seed, where);
  s.seed = std::stoull(seed);
  s.validation_share = number("validation_share");
  s.schedule = {.kind = parse_schedule(json_string(object, "schedule", where)),
                .lr = number("lr"),
                .min_lr = number("min_lr"),
                .warmup = integer("warmup"),
                .horizon = integer("horizon"),
                .decay_share = number("decay_share"),
                .decay_factor = number("decay_factor"),
                .decay_every = integer("decay_every")};
  s.optimizer = {real("beta1"), real("beta2"), real("epsilon"), real("weight_decay"), real("clip")};
  s.skip_loss_z = number("skip_loss_z");
  s.skip_norm_z = number("skip_norm_z");
  s.most_bad_steps = integer("most_bad_steps");
  return s;
}

}  // namespace smallmind
