// Temporary, fsync, rename, fsync of the directory; see atomic_file.h.
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace smallmind {
namespace {

namespace fs_std = std::filesystem;

constexpr std::size_t kBufferBytes = 1 << 16;
constexpr int kNameTries = 1000;
constexpr std::string_view kMarker = ".tmp-";
constexpr std::time_t kAbandonedSeconds = 60;

// Repeats a call that a signal interrupted.
template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

[[noreturn]] void fail_system(std::string_view action, const fs_std::path& path, int error) {
  fail_input("[file] {} expected to succeed, {} ({})", action, std::generic_category().message(error),
             path.string());
}

fs_std::path parent_of(const fs_std::path& path) {
  const fs_std::path parent = path.parent_path();
  return parent.empty() ? fs_std::path(".") : parent;
}

// "model.safetensors" -> "model.safetensors.tmp-4711-2"; try_name(path) makes it and returns >= 0, or -1 and
// errno. O_EXCL and its like refuse a name that exists, so names need not be unique, only tried in turn.
template <class TryName>
int create_temporary(const fs_std::path& target, fs_std::path& temporary, TryName try_name) {
  const std::string stem = target.string() + std::string(kMarker) + std::to_string(getpid()) + "-";
  for (int n = 0; n < kNameTries; ++n) {
    temporary = stem + std::to_string(n);
    const int result = retry([&] { return try_name(temporary.c_str()); });
    if (result >= 0) return result;
    if (errno != EEXIST) break;
  }
  fail_system("creating a temporary file", temporary, errno);
}

bool is_temporary_name(std::string_view name) {
  const std::size_t marker = name.rfind(kMarker);
  if (marker == std::string_view::npos || marker == 0) return false;
  const std::string_view tail = name.substr(marker + kMarker.size());
  const std::size_t dash = tail.find('-');
  const auto digits = [](std::string_view s) {
    return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && digits(tail.substr(0, dash)) && digits(tail.substr(dash + 1));
}

bool abandoned(const fs_std::path& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return false;
  if (S_ISLNK(status.st_mode)) return std::time(nullptr) - status.st_mtime > kAbandonedSeconds;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return false;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return false;
  const bool free = flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  ::close(descriptor);
  return free;
}

}  // namespace

AtomicFile::AtomicFile(fs_std::path target, const FileSystem& fs, std::int64_t expected_bytes)
    : fs_(fs), target_(std::move(target)), expected_bytes_(expected_bytes) {
  buffer_.reserve(kBufferBytes);
  descriptor_ = create_temporary(target_, temporary_, [&](const char* name) {
    return fs_.open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  });
  flock(
      descriptor_,
      LOCK_EX | LOCK_NB);  // only tells remove_orphans() that we live; file systems without locks do without
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) fs_.close(descriptor_);
  descriptor_ = -1;
  if (!committed_) fs_.unlink(temporary_.c_str());
  committed_ = true;
}

void AtomicFile::append(std::span<const std::byte> bytes) {
  SM_CHECK(descriptor_ >= 0, "[file] append before commit expected, {} is committed", target_.string());
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() >= kBufferBytes)
    write_all(bytes);
  else
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

void AtomicFile::append(std::string_view text) {
  append(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::flush() {
  write_all(buffer_);
  buffer_.clear();
}

void AtomicFile::write_all(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = retry([&] { return fs_.write(descriptor_, bytes.data(), bytes.size()); });
    if (count < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      const std::int64_t needed =
          std::max(expected_bytes_ - written_, static_cast<std::int64_t>(bytes.size()));
      fail_input("[file] room for {} more bytes expected, no space left on the device ({}, byte {})", needed,
                 target_.string(), written_);
    }
    if (count <= 0) fail_system("writing", temporary_, count < 0 ? errno : EIO);
    written_ += count;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit() {
  SM_CHECK(descriptor_ >= 0, "[file] one commit expected, {} is committed", target_.string());
  flush();
  if (retry([&] { return fs_.fsync(descriptor_); }) != 0) fail_system("fsync", temporary_, errno);
  const int descriptor = std::exchange(descriptor_, -1);
  // Late write errors of network file systems; after EINTR Linux has closed the descriptor.
  if (fs_.close(descriptor) != 0 && errno != EINTR) fail_system("closing", temporary_, errno);
  if (fs_.rename(temporary_.c_str(), target_.c_str()) != 0) fail_system("renaming", target_, errno);
  committed_ = true;
  fsync_directory(parent_of(target_), fs_);
}

AtomicDirectory::AtomicDirectory(fs_std::path target, const FileSystem& fs)
    : fs_(fs), target_(std::move(target)) {
  create_temporary(target_, temporary_, [&](const char* name) { return fs_.mkdir(name, 0777); });
  descriptor_ = ::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ >= 0) flock(descriptor_, LOCK_EX | LOCK_NB);
}

AtomicDirectory::~AtomicDirectory() {
  if (!committed_) {
    std::error_code ignored;
    fs_std::remove_all(temporary_, ignored);
  }
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AtomicDirectory::commit() {
  SM_CHECK(!committed_, "[file] one commit expected, {} is committed", target_.string());
  std::error_code ignored;
  if (fs_std::exists(fs_std::symlink_status(target_, ignored))) fail_system("renaming", target_, EEXIST);
  fsync_directory(temporary_, fs_);
  if (fs_.rename(temporary_.c_str(), target_.c_str()) != 0) fail_system("renaming", target_, errno);
  committed_ = true;
  fsync_directory(parent_of(target_), fs_);
}

void write_file_atomically(const fs_std::path& target, std::string_view text, const FileSystem& fs) {
  AtomicFile file(target, fs, static_cast<std::int64_t>(text.size()));
  file.append(text);
  file.commit();
}

void atomic_symlink(const fs_std::path& target, const fs_std::path& link, const FileSystem& fs) {
  fs_std::path temporary;
  create_temporary(link, temporary, [&](const char* name) { return fs.symlink(target.c_str(), name); });
  if (fs.rename(temporary.c_str(), link.c_str()) != 0) {
    const int error = errno;
    fs.unlink(temporary.c_str());
    fail_system("renaming a symlink", link, error);
  }
  fsync_directory(parent_of(link), fs);
}

void fsync_directory(const fs_std::path& directory, const FileSystem& fs) {
  const int descriptor =
      retry([&] { return fs.open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); });
  if (descriptor < 0) fail_system("opening a directory", directory, errno);
  const int result = retry([&] { return fs.fsync(descriptor); });
  const int error = errno;
  fs.close(descriptor);
  if (result != 0 && error != EINVAL) fail_system("fsync of the directory, the last step,", directory, error);
}

int remove_orphans(const fs_std::path& directory) {
  int removed = 0;
  std::error_code error;
  std::vector<fs_std::path> names;
  for (fs_std::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    if (is_temporary_name(it->path().filename().string()) && abandoned(it->path()))
      names.push_back(it->path());
  for (const fs_std::path& path : names) {
    fs_std::remove_all(path, error);
    if (!error) ++removed;
  }
  return removed;
}

}  // namespace smallmind
