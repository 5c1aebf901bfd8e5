// Crash safety: every write, fsync and rename fails in turn, and the target is always the old or the new
// file, whole.
#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

// A table whose n-th call of write, fsync, rename or symlink fails with `error`; short_writes cuts every
// write to 7 bytes.
struct Faults {
  static inline int countdown = -1;
  static inline int error = EIO;
  static inline bool short_writes = false;

  static bool strikes() {
    if (countdown < 0 || countdown-- != 0) return false;
    errno = error;
    return true;
  }
  static const FileSystem& table() {
    static const FileSystem kTable = [] {
      FileSystem t = posix_file_system();
      t.write = [](int fd, const void* bytes, std::size_t count) -> ssize_t {
        if (strikes()) return -1;
        return posix_file_system().write(fd, bytes, short_writes ? std::min<std::size_t>(count, 7) : count);
      };
      t.fsync = [](int fd) { return strikes() ? -1 : posix_file_system().fsync(fd); };
      t.rename = [](const char* a, const char* b) {
        return strikes() ? -1 : posix_file_system().rename(a, b);
      };
      t.symlink = [](const char* a, const char* b) {
        return strikes() ? -1 : posix_file_system().symlink(a, b);
      };
      return t;
    }();
    return kTable;
  }
};

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override { Faults::countdown = -1, Faults::error = EIO, Faults::short_writes = false; }
  int entries() const {
    return static_cast<int>(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
  }
  TempFolder folder;
};

TEST_F(AtomicFileTest, ReplacesWholeOrNotAtAll) {
  const auto target = folder.write("f", "old");
  {
    AtomicFile file(target);
    file.append("new ");
    file.append("text");
    EXPECT_EQ(file.size(), 8);
    EXPECT_EQ(read_whole_file(target), "old");
    file.commit();
    EXPECT_EQ(read_whole_file(target), "new text");
    EXPECT_THROW(file.append("more"), Error);
    EXPECT_THROW(file.commit(), Error);
  }
  EXPECT_EQ(read_whole_file(target), "new text");
  { AtomicFile(target).append("dropped"); }
  EXPECT_EQ(read_whole_file(target), "new text");
  EXPECT_EQ(entries(), 1);
}

TEST_F(AtomicFileTest, EveryFailingCallLeavesTheOldOrTheNewFile) {
  const auto target = folder.path() / "f";
  const std::string big(200'000, 'x');
  int failures = 0;
  for (int n = 0;; ++n) {
    write_file_atomically(target, "old");
    Faults::countdown = n;
    bool failed = false;
    try {
      AtomicFile file(target, Faults::table());
      for (std::size_t at = 0; at < big.size(); at += 10'000)
        file.append(std::string_view(big).substr(at, 10'000));
      file.commit();
    } catch (const Error& e) {
      failed = true;
      EXPECT_EQ(e.code(), ErrorCode::bad_input);
      EXPECT_NE(std::string(e.what()).find(folder.path().string()), std::string::npos) << e.what();
    }
    const std::string now = read_whole_file(target);
    EXPECT_TRUE(now == "old" || now == big) << "call " << n << " left " << now.size() << " bytes";
    EXPECT_EQ(entries(), 1) << "call " << n << " left a temporary";
    if (!failed) {
      EXPECT_EQ(now, big);
      break;
    }
    ++failures;
  }
  EXPECT_GE(failures, 6);  // four writes, fsync, rename, fsync of the directory
}

TEST_F(AtomicFileTest, HandlesShortWritesAndInterruptions) {
  const auto target = folder.path() / "f";
  Faults::short_writes = true;
  Faults::error = EINTR;
  Faults::countdown = 2;
  write_file_atomically(target, std::string(100, 'y'), Faults::table());
  EXPECT_EQ(read_whole_file(target), std::string(100, 'y'));
}

TEST_F(AtomicFileTest, AFullDiskNamesTheBytesNeeded) {
  Faults::error = ENOSPC;
  Faults::countdown = 0;
  try {
    AtomicFile file(folder.path() / "f", Faults::table(), 123456);
    file.append("abc");
    file.commit();
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("123456 more bytes"), std::string::npos) << e.what();
  }
  EXPECT_EQ(entries(), 0);
  if (fs::exists("/dev/full")) {
    FileSystem full = posix_file_system();
    full.open = [](const char*, int, unsigned) { return posix_file_system().open("/dev/full", 1, 0); };
    full.unlink = [](const char*) { return 0; };
    EXPECT_THROW(write_file_atomically(folder.path() / "g", "abc", full), Error);
  }
}

TEST_F(AtomicFileTest, RefusesAPlaceThatIsNotThere) {
  EXPECT_THROW(AtomicFile(folder.path() / "no" / "f"), Error);
  EXPECT_THROW(fsync_directory(folder.path() / "no"), Error);
}

TEST_F(AtomicFileTest, SymlinksAreReplacedByRename) {
  folder.write("one/x", "1");
  folder.write("two/x", "2");
  const auto link = folder.path() / "latest";
  atomic_symlink("one", link);
  EXPECT_EQ(read_whole_file(link / "x"), "1");
  for (int n = 0; n < 2; ++n) {
    Faults::countdown = n;
    EXPECT_THROW(atomic_symlink("two", link, Faults::table()), Error);
    EXPECT_EQ(fs::read_symlink(link), "one");
    EXPECT_EQ(entries(), 3);
  }
  atomic_symlink("two", link);
  EXPECT_EQ(read_whole_file(link / "x"), "2");
}

TEST_F(AtomicFileTest, DirectoriesAppearWhole) {
  const auto target = folder.path() / "step-000001";
  {
    AtomicDirectory directory(target);
    write_file_atomically(directory.path() / "a", "A");
    EXPECT_FALSE(fs::exists(target));
    directory.commit();
  }
  EXPECT_EQ(read_whole_file(target / "a"), "A");
  {
    AtomicDirectory again(target);
    EXPECT_THROW(again.commit(), Error);
  }
  EXPECT_EQ(entries(), 1);
  EXPECT_EQ(remove_orphans(folder.path()), 0);
}

TEST_F(AtomicFileTest, OrphansOfTheDeadGoAndTheLivingStay) {
  folder.write("model.tmp-1-0", "left by a crash");
  folder.write("step-000002.tmp-77-3/model", "so was this");
  const char* kept[] = {"notes.tmp-old", "x.tmp-12", ".tmp-1-2", "tmp-1-0", "data"};
  for (const char* name : kept) folder.write(name, "someone's");
  {
    AtomicFile alive(folder.path() / "model");
    AtomicDirectory directory(folder.path() / "step-000003");
    EXPECT_EQ(remove_orphans(folder.path()), 2);
    alive.append("still here");
    alive.commit();
    directory.commit();
  }
  EXPECT_EQ(read_whole_file(folder.path() / "model"), "still here");
  for (const char* name : kept) EXPECT_TRUE(fs::exists(folder.path() / name)) << name;
  EXPECT_EQ(entries(), 7);
  EXPECT_EQ(remove_orphans(folder.path() / "absent"), 0);
}

TEST_F(AtomicFileTest, SurvivesKillAtAnyMoment) {
  const auto target = folder.path() / "f";
  write_file_atomically(target, std::string(300'000, 'a'));
  for (int round = 0; round < 12; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (char c = 'a';; c = c == 'z' ? 'a' : static_cast<char>(c + 1))
        write_file_atomically(target, std::string(300'000, c));
    }
    usleep(static_cast<useconds_t>(1000 + 700 * round));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const std::string text = read_whole_file(target);
    ASSERT_EQ(text.size(), 300'000u);
    EXPECT_EQ(text, std::string(300'000, text[0]));
  }
  remove_orphans(folder.path());
  EXPECT_EQ(entries(), 1);
}

}  // namespace
}  // namespace smallmind
