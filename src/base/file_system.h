// The file system calls of everything that must survive a crash, as a table of function pointers: a test puts
// a table of its own in and fails the n-th write, fsync or rename, or records them and replays a crash. The
// functions have the meaning of their POSIX namesakes: -1 and errno on failure.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace smallmind {

struct FileSystem {
  int (*open)(const char* path, int flags, unsigned mode);
  ssize_t (*write)(int descriptor, const void* bytes, std::size_t count);
  int (*fsync)(int descriptor);
  int (*close)(int descriptor);
  int (*rename)(const char* from, const char* to);
  int (*unlink)(const char* path);
  int (*symlink)(const char* target, const char* link);
  int (*mkdir)(const char* path, unsigned mode);
};

// The system's own calls.
const FileSystem& posix_file_system() noexcept;

}  // namespace smallmind
