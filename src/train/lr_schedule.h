// Learning rate schedules, each a pure function of the step: a resumed run needs no state of them.
//
// t = (step - warmup) / (horizon - warmup) in [0, 1] is the way after the warm-up, which rises linearly: lr
// (step + 1) / (warmup + 1). Steps count from 0.
//   constant     lr
//   cosine       min_lr + (lr - min_lr) (1 + cos(pi t)) / 2                    Loshchilov, Hutter 2017
//   wsd          lr, then linear to min_lr in the last `decay_share` of the horizon    Hu et al. 2024
//   step         lr decay_factor^floor(n), n = (step - warmup) / decay_every, not below min_lr
//   exponential  lr decay_factor^n, not below min_lr
//   one_cycle    lr/25 up to lr in the warm-up (30 % of the horizon if none is given), then down to min_lr,
//   both along a
//                half cosine                                                   Smith, Topin 2018
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace smallmind {

enum class ScheduleKind : std::uint8_t { constant, cosine, wsd, step, exponential, one_cycle };

const char* schedule_name(ScheduleKind kind) noexcept;  // "constant", "cosine", ..., "one-cycle"
ScheduleKind parse_schedule(std::string_view name);     // throws Error (usage), listing the names
std::vector<std::string_view> schedule_names();

struct LrSchedule {
  ScheduleKind kind = ScheduleKind::cosine;
  double lr = 1e-3;
  double min_lr = 1e-4;
  std::int64_t warmup = 0;
  std::int64_t horizon = 1;      // steps over which the rate falls; after it min_lr stays
  double decay_share = 0.2;      // wsd
  double decay_factor = 0.1;     // step, exponential
  std::int64_t decay_every = 0;  // step, exponential; 0: a third of the way after the warm-up

  bool operator==(const LrSchedule&) const = default;

  // Throws Error (usage), naming the field that has no meaning.
  void validate() const;
  // The rate of step 0, 1, ...; finite and >= 0 for a valid schedule.
  double rate(std::int64_t step) const noexcept;
};

}  // namespace smallmind
