// The system's own calls as a FileSystem.
#include "base/file_system.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smallmind {

const FileSystem& posix_file_system() noexcept {
  static constexpr FileSystem kPosix{
      [](const char* path, int flags, unsigned mode) {
        return ::open(path, flags, static_cast<mode_t>(mode));
      },
      ::write,
      ::fsync,
      ::close,
      ::rename,
      ::unlink,
      ::symlink,
      [](const char* path, unsigned mode) { return ::mkdir(path, static_cast<mode_t>(mode)); },
  };
  return kPosix;
}

}  // namespace smallmind
