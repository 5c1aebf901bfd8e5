// log.jsonl: one JSON object per line, written as training goes.
//
//   {"step":12,"loss":2.31,"lr":0.0005,"gradient_norm":0.8,"tokens_per_second":51234}      ("skipped":true
//   where no update was made)
//   {"step":250,"val_loss":2.05}
// Steps count from 1: the number of steps done. Training never stops because of its log: when the disk is
// full or the directory gone, lines are lost and one warning says so. A line costs no heap.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace smallmind {

class TrainLog {
 public:
  // Continues the log of a run that is resumed behind `step`: later lines are dropped first. step 0 begins
  // anew.
  TrainLog(std::filesystem::path path, std::int64_t step);
  ~TrainLog();
  TrainLog(const TrainLog&) = delete;
  TrainLog& operator=(const TrainLog&) = delete;

  struct StepLine {
    std::int64_t step;
    double loss, lr, gradient_norm, tokens_per_second;
    bool skipped;
  };
  void step(const StepLine& line) noexcept;
  void evaluation(std::int64_t step, double val_loss) noexcept;

 private:
  void write(std::string_view line) noexcept;

  std::filesystem::path path_;
  int descriptor_ = -1;
  bool torn_ = false;  // the last line was cut short
  bool warned_ = false;
};

}  // namespace smallmind
