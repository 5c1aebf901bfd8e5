// Shared by the commands; see command.h.
#include "cli/command.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/cgroup.h"
#include "base/error.h"

namespace smallmind {

int CliContext::thread_count() const {
  return threads > 0 ? threads : available_threads();
}

void print_out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
  if (errno == EPIPE) throw OutputClosed{};
  fail_input("[output] standard output expected to take {} bytes, {}", text.size(),
             std::generic_category().message(errno));
}

}  // namespace smallmind
