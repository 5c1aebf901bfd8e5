// The formulas of lr_schedule.h.
#include "train/lr_schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "base/error.h"

namespace smallmind {
namespace {

constexpr std::array<const char*, 6> kNames = {"constant", "cosine",      "wsd",
                                               "step",     "exponential", "one-cycle"};
constexpr double kOneCycleStart = 1.0 / 25.0;
constexpr double kOneCycleWarmup = 0.3;

// From `from` at t = 0 to `to` at t = 1 along a half cosine.
double half_cosine(double from, double to, double t) {
  return to + (from - to) * 0.5 * (1.0 + std::cos(std::numbers::pi * t));
}

double share(std::int64_t part, std::int64_t whole) {
  return whole <= 0 ? 1.0 : std::clamp(static_cast<double>(part) / static_cast<double>(whole), 0.0, 1.0);
}

double one_cycle(const LrSchedule& s, std::int64_t step) {
  const std::int64_t up =
      s.warmup > 0 ? s.warmup : static_cast<std::int64_t>(kOneCycleWarmup * static_cast<double>(s.horizon));
  if (step < up) return half_cosine(s.lr * kOneCycleStart, s.lr, share(step, up));
  return half_cosine(s.lr, s.min_lr, share(step - up, s.horizon - up));
}

double staircase(const LrSchedule& s, std::int64_t after, bool smooth) {
  const std::int64_t every =
      s.decay_every > 0 ? s.decay_every : std::max<std::int64_t>(1, (s.horizon - s.warmup + 2) / 3);
  const double steps = static_cast<double>(after) / static_cast<double>(every);
  return std::max(s.min_lr, s.lr * std::pow(s.decay_factor, smooth ? steps : std::floor(steps)));
}

}  // namespace

const char* schedule_name(ScheduleKind kind) noexcept {
  return kNames[static_cast<std::size_t>(kind)];
}

std::vector<std::string_view> schedule_names() {
  return {kNames.begin(), kNames.end()};
}

ScheduleKind parse_schedule(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return static_cast<ScheduleKind>(i);
  std::string known;
  for (const char* each : kNames) known += (known.empty() ? "" : ", ") + std::string(each);
  fail_usage("[schedule] one of {} expected, \"{}\" given", known, name);
}

void LrSchedule::validate() const {
  const auto check = [](bool good, const char* field, double value) {
    if (!good) fail_usage("[schedule] a meaningful {} expected, {} given", field, value);
  };
  check(std::isfinite(lr) && lr > 0, "learning rate", lr);
  check(min_lr >= 0 && min_lr <= lr, "minimum learning rate (from 0 to the learning rate)", min_lr);
  check(warmup >= 0, "warm-up", static_cast<double>(warmup));
  check(horizon > 0, "horizon", static_cast<double>(horizon));
  check(decay_share >= 0 && decay_share <= 1, "share of the decay", decay_share);
  check(decay_factor > 0 && decay_factor <= 1, "decay factor", decay_factor);
  check(decay_every >= 0, "length of a decay step", static_cast<double>(decay_every));
}

double LrSchedule::rate(std::int64_t step_index) const noexcept {
  if (kind == ScheduleKind::one_cycle) return one_cycle(*this, step_index);
  if (step_index < warmup) return lr * static_cast<double>(step_index + 1) / static_cast<double>(warmup + 1);
  const std::int64_t after = step_index - warmup, way = horizon - warmup;
  switch (kind) {
    case ScheduleKind::cosine:
      return half_cosine(lr, min_lr, share(after, way));
    case ScheduleKind::wsd: {
      const auto decay = static_cast<std::int64_t>(decay_share * static_cast<double>(horizon));
      if (step_index < horizon - decay) return lr;
      return lr + (min_lr - lr) * share(step_index - (horizon - decay), decay);
    }
    case ScheduleKind::step:
      return staircase(*this, after, false);
    case ScheduleKind::exponential:
      return staircase(*this, after, true);
    default:
      return lr;
  }
}

}  // namespace smallmind
