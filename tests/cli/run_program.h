// Runs the built program in a shell and returns what it said.
#pragma once

#include <sys/wait.h>

#include <string>

#include "tests/base/temp_folder.h"

namespace smallmind {

struct ProgramResult {
  int status = -1;  // exit status; 128 + signal if it was killed
  std::string out;
  std::string err;
};

// arguments: what follows the program's name, in shell syntax; before: what precedes it ("NO_COLOR=1",
// "taskset -c 0"); input: the file on its standard input.
inline ProgramResult run_program(const std::string& arguments, const std::string& before = "",
                                 const std::string& input = "/dev/null") {
  const TempFolder folder;
  const std::string out = folder.path() / "out", err = folder.path() / "err";
  const std::string line =
      before + " '" SM_PROGRAM "' " + arguments + " >'" + out + "' 2>'" + err + "' <'" + input + "'";
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_whole_file(out),
          read_whole_file(err)};
}

}  // namespace smallmind
