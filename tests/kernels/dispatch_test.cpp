// The choice of the kernel table: what exists, what is refused, and that every entry is filled.
#include "kernels/dispatch.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
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

// In a child process, because the first call of kernels() decides for good. GoogleTest runs death tests
// before all others, so that no call has decided yet, and a forked child needs no second start of the
// program.
TEST(DispatchDeathTest, AnUnknownSmallmindIsaIsBadInput) {
  GTEST_FLAG_SET(death_test_style, "fast");
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

TEST(Dispatch, EveryEntryIsFilled) {
  for (const std::string_view isa : available_isas()) {
    const KernelTable& table = kernels_for(isa);
    // The table holds nothing but pointers and panel_width, so that a zero word is an entry that nobody
    // filled.
    static_assert(sizeof(KernelTable) % sizeof(void*) == 0);
    std::uintptr_t words[sizeof(KernelTable) / sizeof(void*)];
    std::memcpy(words, &table, sizeof table);
    for (std::size_t i = 0; i < std::size(words); ++i) EXPECT_NE(words[i], 0u) << isa << " entry " << i;
  }
}

}  // namespace
}  // namespace smallmind
