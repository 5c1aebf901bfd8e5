// The frame of the program: statuses, one-line errors, the options that every command has.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/cpu.h"
#include "kernels/dispatch.h"
#include "tests/cli/run_program.h"

namespace smallmind {
namespace {

void expect_failure(const ProgramResult& result, int status) {
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_EQ(result.err.rfind("smallmind: ", 0), 0u) << result.err;
}

TEST(Program, VersionNamesCommitAndKernels) {
  const ProgramResult result = run_program("--version");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out.rfind("smallmind 0.", 0), 0u) << result.out;
  EXPECT_NE(result.out.find(std::string("kernels ") + kernels().isa), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("CPU " + cpu_features().to_string()), std::string::npos) << result.out;
  EXPECT_NE(run_program("--version", "SMALLMIND_ISA=scalar").out.find("kernels scalar"), std::string::npos);
}

TEST(Program, HelpIsNoFailure) {
  const ProgramResult result = run_program("--help");
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.out.find("doctor"), std::string::npos);
  EXPECT_EQ(run_program("doctor --help").status, 0);
}

TEST(Program, WrongUsageIsOne) {
  for (const char* arguments : {"", "--no-such-option", "no-such-command", "doctor --no-such-option",
                                "doctor --threads 0", "doctor --threads x", "doctor extra"})
    expect_failure(run_program(arguments), 1);
}

TEST(Program, AnUnsupportedInstructionSetIsTwo) {
  expect_failure(run_program("doctor", "SMALLMIND_ISA=mmx"), 2);
  expect_failure(run_program("--version", "SMALLMIND_ISA=AVX512"), 2);
}

TEST(Program, AClosedPipeEndsItQuietly) {
  // The reader is gone before the program writes: it starts late.
  const std::string line =
      "bash -c \"(sleep 0.2; exec '" SM_PROGRAM "' doctor) | true; exit \\${PIPESTATUS[0]}\"";
  const int status = std::system(line.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace smallmind
