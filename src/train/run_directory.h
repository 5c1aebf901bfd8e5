// The directory of one run: its lock, its checkpoints and the links that name two of them.
//
//   run1/lock          held (flock) by the process that trains
//   run1/log.jsonl     one line per step and evaluation
//   run1/step-000500/  a checkpoint (train/checkpoint.h)
//   run1/latest        symlink to the newest checkpoint: where a resumed run goes on
//   run1/best          symlink to the checkpoint with the lowest validation loss: what every other command
//   uses
// Links are replaced by rename after the checkpoint is durable, and old checkpoints are deleted after that,
// so at every moment `latest` names a whole checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/file_system.h"

namespace smallmind {

class RunDirectory {
 public:
  // Makes the directory if need be, locks it and deletes what an interrupted save left. Throws Error
  // (bad_input) if another process trains there.
  explicit RunDirectory(std::filesystem::path path, const FileSystem& fs = posix_file_system());
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  const FileSystem& file_system() const noexcept { return fs_; }
  std::filesystem::path log_path() const { return path_ / "log.jsonl"; }
  std::filesystem::path checkpoint_path(std::int64_t step) const;

  // Steps that have a checkpoint, ascending; nothing is checked.
  std::vector<std::int64_t> checkpoints() const;

  // The newest checkpoint, `latest` or an older one, whose files are as they were written. Damaged ones on
  // the way get a warning and the name step-NNNNNN.damaged, and the links are set right. Nothing if there is
  // none.
  std::optional<std::filesystem::path> newest_sound_checkpoint();

  // Points `latest`, and `best` if it is the best, to the checkpoint of this step, which must be there.
  void publish(std::int64_t step, bool best);

  // Deletes the oldest checkpoints until `keep` are left; `latest` and `best` stay in any case. keep < 1
  // keeps all.
  void prune(std::int64_t keep);

  // Deletes all checkpoints, links and the log.
  void clear();

 private:
  std::optional<std::int64_t> linked_step(const char* link) const;
  void set_aside(std::int64_t step);
  void remove(const std::filesystem::path& checkpoint);

  std::filesystem::path path_;
  const FileSystem& fs_;
  int lock_ = -1;
};

}  // namespace smallmind
