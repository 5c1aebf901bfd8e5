// Regular files map; all else is refused without waiting.
#include "tensor/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

#include "base/error.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.size()};
}

TEST(MappedFile, MapsMovesAndTakesHints) {
  const TempFolder folder;
  MappedFile file(folder.write("a", "hello"), Access::sequential);
  EXPECT_EQ(text_of(file), "hello");
  file.advise(Access::random);
  file.read_ahead(2, 1000);
  file.release(0, 5);
  file.release(99, 1);
  EXPECT_EQ(text_of(file), "hello");

  MappedFile moved(std::move(file));
  EXPECT_EQ(text_of(moved), "hello");
  MappedFile other(folder.write("b", "world!"));
  other = std::move(moved);
  EXPECT_EQ(text_of(other), "hello");
  EXPECT_EQ(other.path(), (folder.path() / "a").string());
}

TEST(MappedFile, KeepsTheOldBytesWhenTheFileIsReplaced) {
  const TempFolder folder;
  const MappedFile file(folder.write("a", "old"));
  std::filesystem::rename(folder.write("b", "new"), folder.path() / "a");
  EXPECT_EQ(text_of(file), "old");
}

TEST(MappedFile, EmptyIsAnEmptySpan) {
  const TempFolder folder;
  const MappedFile file(folder.write("empty", ""));
  EXPECT_TRUE(file.bytes().empty());
  file.advise(Access::random);
}

TEST(MappedFile, RefusesWhatIsNotARegularFile) {
  const TempFolder folder;
  const auto fifo = folder.path() / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& path :
       {fifo, folder.path(), std::filesystem::path("/dev/zero"), folder.path() / "absent"}) {
    try {
      MappedFile file(path);
      ADD_FAILURE() << path;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_input);
      EXPECT_NE(std::string(e.what()).find(path.string()), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace smallmind
