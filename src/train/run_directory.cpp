// See run_directory.h.
#include "train/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/log.h"
#include "train/checkpoint.h"

namespace smallmind {
namespace {

namespace fs_std = std::filesystem;

constexpr std::string_view kPrefix = "step-";

// "step-000500" -> 500
std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

}  // namespace

RunDirectory::RunDirectory(fs_std::path path, const FileSystem& fs) : path_(std::move(path)), fs_(fs) {
  std::error_code error;
  fs_std::create_directories(path_, error);
  if (error) fail_input("[run] a directory to train in expected, {} ({})", error.message(), path_.string());
  const fs_std::path lock = path_ / "lock";
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0)
    fail_input("[run] a directory to write in expected, {} ({})", std::generic_category().message(errno),
               lock.string());
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(lock_);
    fail_input("[run] a directory in which nobody else trains expected, another process holds {}",
               lock.string());
  }
  remove_orphans(path_);
}

RunDirectory::~RunDirectory() {
  ::close(lock_);
}

fs_std::path RunDirectory::checkpoint_path(std::int64_t step) const {
  return path_ / fmt::format("{}{:06}", kPrefix, step);
}

std::vector<std::int64_t> RunDirectory::checkpoints() const {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (fs_std::directory_iterator it(path_, error), end; !error && it != end; it.increment(error))
    if (const auto step = step_of(it->path().filename().string())) steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<std::int64_t> RunDirectory::linked_step(const char* link) const {
  std::error_code error;
  const fs_std::path target = fs_std::read_symlink(path_ / link, error);
  return error ? std::nullopt : step_of(target.filename().string());
}

std::optional<fs_std::path> RunDirectory::newest_sound_checkpoint() {
  std::vector<std::int64_t> steps = checkpoints();
  for (; !steps.empty(); steps.pop_back()) {
    const std::int64_t step = steps.back();
    try {
      verify_checkpoint(checkpoint_path(step));
      read_trainer_state(checkpoint_path(step));
    } catch (const Error& e) {
      log_warning("{}; an older checkpoint is looked for", e.what());
      set_aside(step);
      continue;
    }
    const std::optional<std::int64_t> best = linked_step("best");
    if (linked_step("latest") != step) publish(step, false);
    if (best && !std::binary_search(steps.begin(), steps.end(), *best)) publish(step, true);
    return checkpoint_path(step);
  }
  return std::nullopt;
}

void RunDirectory::set_aside(std::int64_t step) {
  const fs_std::path path = checkpoint_path(step);
  fs_std::path aside = path;
  aside += ".damaged";
  std::error_code ignored;
  fs_std::remove_all(aside, ignored);
  if (fs_.rename(path.c_str(), aside.c_str()) != 0)
    fail_input("[run] renaming a damaged checkpoint expected to succeed, {} ({})",
               std::generic_category().message(errno), path.string());
  fsync_directory(path_, fs_);
}

void RunDirectory::publish(std::int64_t step, bool best) {
  const fs_std::path name = checkpoint_path(step).filename();
  atomic_symlink(name, path_ / "latest", fs_);
  if (best) atomic_symlink(name, path_ / "best", fs_);
}

void RunDirectory::prune(std::int64_t keep) {
  std::vector<std::int64_t> steps = checkpoints();
  const auto best = linked_step("best"), latest = linked_step("latest");
  auto extra = static_cast<std::int64_t>(steps.size()) - keep;
  for (const std::int64_t step : steps) {
    if (keep < 1 || extra <= 0) return;
    if (step == best || step == latest) continue;
    remove(checkpoint_path(step));
    --extra;
  }
}

// Under a temporary's name first, so that half of a checkpoint never has a checkpoint's name.
void RunDirectory::remove(const fs_std::path& checkpoint) {
  fs_std::path doomed = checkpoint;
  doomed += fmt::format(".tmp-{}-0", getpid());
  std::error_code error;
  if (fs_.rename(checkpoint.c_str(), doomed.c_str()) == 0)
    fs_std::remove_all(doomed, error);
  else
    error = std::error_code(errno, std::generic_category());
  if (error)
    log_warning("[run] an old checkpoint could not be deleted, {} ({})", error.message(),
                checkpoint.string());
}

void RunDirectory::clear() {
  std::error_code ignored;
  for (const char* link : {"latest", "best"}) fs_std::remove(path_ / link, ignored);
  for (const std::int64_t step : checkpoints()) remove(checkpoint_path(step));
  fs_std::remove(log_path(), ignored);
}

}  // namespace smallmind
