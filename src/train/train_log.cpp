// See train_log.h.
#include "train/train_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"

namespace smallmind {
namespace {

// The step that a line is about; a line that is not ours counts as later than all.
std::int64_t step_of(const std::string& line) {
  try {
    return json_int(parse_json(line, "log.jsonl"), "step", "log.jsonl");
  } catch (const Error&) {
    return INT64_MAX;
  }
}

void drop_later_lines(const std::filesystem::path& path, std::int64_t step) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return;
  AtomicFile out(path);
  for (std::string line; std::getline(in, line);)
    if (step_of(line) <= step) out.append(line + "\n");
  out.commit();
}

// A number, or null where JSON has none; shortest form that reads back to the same bits.
struct Number {
  double value;
};

char* append(char* to, char* end, Number number) {
  const auto room = static_cast<std::size_t>(end - to);
  return std::isfinite(number.value) ? fmt::format_to_n(to, room, "{}", number.value).out
                                     : fmt::format_to_n(to, room, "null").out;
}

char* append(char* to, char* end, std::string_view text) {
  return fmt::format_to_n(to, static_cast<std::size_t>(end - to), "{}", text).out;
}

}  // namespace

TrainLog::TrainLog(std::filesystem::path path, std::int64_t step) : path_(std::move(path)) {
  try {
    if (step > 0) drop_later_lines(path_, step);
  } catch (const Error& e) {
    log_warning("{}; lines of steps that are repeated stay in the log", e.what());
  }
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (step > 0 ? 0 : O_TRUNC);
  descriptor_ = ::open(path_.c_str(), flags, 0666);
}

TrainLog::~TrainLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void TrainLog::step(const StepLine& line) noexcept {
  std::array<char, 320> buffer;  // 5 numbers of at most 24 characters, and 120 of names
  char *to = buffer.data(), *const end = to + buffer.size();
  to = fmt::format_to_n(to, buffer.size(), "{{\"step\":{},\"loss\":", line.step).out;
  to = append(to, end, Number{line.loss});
  to = append(to, end, ",\"lr\":");
  to = append(to, end, Number{line.lr});
  to = append(to, end, ",\"gradient_norm\":");
  to = append(to, end, Number{line.gradient_norm});
  to = append(to, end, ",\"tokens_per_second\":");
  to = append(to, end, Number{std::round(line.tokens_per_second)});
  to = append(to, end, line.skipped ? ",\"skipped\":true}\n" : "}\n");
  write({buffer.data(), static_cast<std::size_t>(to - buffer.data())});
}

void TrainLog::evaluation(std::int64_t step, double val_loss) noexcept {
  std::array<char, 96> buffer;
  char *to = buffer.data(), *const end = to + buffer.size();
  to = fmt::format_to_n(to, buffer.size(), "{{\"step\":{},\"val_loss\":", step).out;
  to = append(to, end, Number{val_loss});
  to = append(to, end, "}\n");
  write({buffer.data(), static_cast<std::size_t>(to - buffer.data())});
}

void TrainLog::write(std::string_view line) noexcept {
  if (torn_ && ::write(descriptor_, "\n", 1) == 1) torn_ = false;
  ssize_t written = -1;
  do {
    written = ::write(descriptor_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(line.size())) return;
  torn_ = torn_ || written > 0;
  if (!warned_)
    log_warning("[log] a line could not be written, {}; training goes on ({})",
                std::generic_category().message(written < 0 ? errno : ENOSPC), path_.string());
  warned_ = true;
}

}  // namespace smallmind
