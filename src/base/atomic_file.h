// Files, directories and symlinks that appear whole or not at all, also across kill -9 and power loss.
//
// The order is the whole secret: write a temporary next to the target, fsync it (its bytes are on disk),
// rename it over the target (atomic), fsync the directory (the name is on disk). A crash before the rename
// leaves the old target and an orphan temporary, named "<target>.tmp-<pid>-<n>" and locked by flock for as
// long as its writer lives; remove_orphans() deletes those whose lock is free. What the rename replaces is
// the name: a symlink at the target is replaced, not followed. Errors are Error (bad_input) with the path and
// the system's reason; after one the target is as it was, unless the text says that only the last fsync of
// the directory failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/file_system.h"

namespace smallmind {

class AtomicFile {
 public:
  // expected_bytes, where known, makes the error on a full disk say what is needed. The file system must
  // outlive the object.
  explicit AtomicFile(std::filesystem::path target, const FileSystem& fs = posix_file_system(),
                      std::int64_t expected_bytes = 0);
  // Without commit() the temporary is removed and the target stays as it was.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void append(std::span<const std::byte> bytes);
  void append(std::string_view text);

  // Bytes appended so far.
  std::int64_t size() const noexcept { return written_ + static_cast<std::int64_t>(buffer_.size()); }

  // Makes the bytes durable under the target's name. Once; nothing may be appended after it.
  void commit();

 private:
  void flush();
  void write_all(std::span<const std::byte> bytes);
  void discard() noexcept;

  const FileSystem& fs_;
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::vector<std::byte> buffer_;
  std::int64_t expected_bytes_;
  std::int64_t written_ = 0;
  int descriptor_ = -1;
  bool committed_ = false;
};

// A directory that appears whole: write files (AtomicFile) and directories below path(), then commit().
class AtomicDirectory {
 public:
  // The target must not exist when commit() is called. Its parent must exist.
  explicit AtomicDirectory(std::filesystem::path target, const FileSystem& fs = posix_file_system());
  ~AtomicDirectory();  // without commit(), removes what was written
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  const std::filesystem::path& path() const noexcept { return temporary_; }
  void commit();

 private:
  const FileSystem& fs_;
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

// Writes one text in one call.
void write_file_atomically(const std::filesystem::path& target, std::string_view text,
                           const FileSystem& fs = posix_file_system());

// Makes `link` point to `target` (relative to the link's directory), replacing a former link by rename.
void atomic_symlink(const std::filesystem::path& target, const std::filesystem::path& link,
                    const FileSystem& fs = posix_file_system());

// Makes the names in a directory durable. File systems that cannot sync directories (EINVAL) count as done.
void fsync_directory(const std::filesystem::path& directory, const FileSystem& fs = posix_file_system());

// Deletes the temporaries in `directory` that no living writer holds; returns how many. Never throws for a
// file that it may not delete. A temporary symlink cannot be locked: it counts as abandoned when it is older
// than a minute.
int remove_orphans(const std::filesystem::path& directory);

}  // namespace smallmind
