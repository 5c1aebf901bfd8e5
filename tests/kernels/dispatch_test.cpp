// The choice of the kernel table: what exists, what is refused, and that every entry is filled.
#include "kernels/dispatch.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.h"

namespace smallmind {
namespace {

TEST(Dispatch, ScalarIsAlwaysThereAndFirst) {
  const auto isas = available_isas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.front(), "scalar");
  for (const std::string_view isa : isas) EXPECT_EQ(kernels_for(isa).isa, isa);
}

TEST(Dispatch, ChoosesTheBestOrTheForcedTable) {
  const char* forced = std::getenv("SMALLMIND_ISA");
  EXPECT_STREQ(kernels().isa, forced != nullptr ? forced : available_isas().back().data());
}

TEST(Dispatch, RefusesUnknownNamesAndSaysWhichExist) {
  for (const char* name : {"sse9", "AVX2", "", "avx", "avx512 "}) {
    try {
      kernels_for(name);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_input);
      EXPECT_NE(std::string(error.what()).find("[SMALLMIND_ISA]"), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("scalar"), std::string::npos);
    }
  }
}

// In a child process, because the first call of kernels() decides for good.
TEST(DispatchDeathTest, AnUnknownSmallmindIsaIsBadInput) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("SMALLMIND_ISA", "sse9", 1);
        try {
          kernels();
        } catch (const Error& error) {
          std::fputs(error.what(), stderr);
          std::exit(static_cast<int>(error.code()));
        }
        std::exit(0);
      },
      testing::ExitedWithCode(2), "sse9");
}

}  // namespace
}  // namespace smallmind
