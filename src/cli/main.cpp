// The program: parses the command line, runs one command and turns errors into exit statuses.
//
// 0 done, 1 wrong usage, 2 bad input or environment, 3 a bug of ours, 4 training diverged (ErrorCode). An
// error is one line on standard error. What the program can do lies in commands/: cli/registry.inc is
// generated from that folder.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <new>

#include "base/cpu.h"
#include "base/error.h"
#include "base/signal.h"
#include "cli/command.h"
#include "cli/command_profile.h"
#include "cli/registry.inc"
#include "cli/version.h"
#include "kernels/dispatch.h"

namespace smallmind {
namespace {

constexpr int kMostThreads = 4096;

int report(ErrorCode code, std::string_view text) {
  fmt::print(stderr, "smallmind: {}\n", text);
  return static_cast<int>(code);
}

int run(int argc, char** argv) {
  CLI::App app("Train, run and profile transformer language models on CPUs.", "smallmind");
  CliContext context;
  app.fallthrough();  // the options below may stand after the command's name, too
  app.require_subcommand(1);
  app.set_version_flag("--version", [] {
    return fmt::format("smallmind {} ({}), kernels {}, CPU {}", kVersion, kCommit, kernels().isa,
                       cpu_features().to_string());
  });
  app.add_option("--threads", context.threads, "Threads to use (default: all that the machine gives)")
      ->check(CLI::Range(1, kMostThreads));
  app.add_flag("--quiet", context.quiet, "No progress and no notes");
  std::string recording;
  app.add_option("--profile", recording, "Record the command to this file, and show its hot paths at the end")
      ->check([](const std::string& file) {
        return file.starts_with("--") ? "a file expected, the option " + file + " found" : std::string();
      });
  for (const Command& command : kCommands) command.add(app, context);
  CommandProfile profile;
  app.parse_complete_callback([&] {  // runs before the command itself does
    if (!recording.empty())
      profile.start(recording, app.get_subcommands().front()->get_name(), context.thread_count(),
                    context.quiet);
  });
  try {
    app.parse(argc, argv);
    profile.finish();
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) return report(ErrorCode::usage, std::string(e.what()) + " (see --help)");
    app.exit(e);  // --help and --version come as exceptions
    return 0;
  }
}

}  // namespace
}  // namespace smallmind

int main(int argc, char** argv) {
  using namespace smallmind;
  ignore_broken_pipes();
  try {
    kernels();  // an unknown SMALLMIND_ISA is an error of every command
    const int status = run(argc, argv);
    print_out("");
    return status;
  } catch (const OutputClosed&) {
    return 0;
  } catch (const Error& e) {
    return report(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return report(ErrorCode::bad_input, "[memory] more memory expected, the system refused it");
  } catch (const std::exception& e) {
    return report(ErrorCode::internal, e.what());
  }
}
