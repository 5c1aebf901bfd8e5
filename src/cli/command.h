// What a command of the program is: one file commands/NAME.cpp that defines
//
//   void add_NAME(CLI::App& app, const CliContext& context);
//
// which adds the subcommand, its options and a callback that does the work. CMake lists the folder and
// generates the registry; nothing else needs to know of the command. Results go to standard output through
// print_out(), everything for the eyes only (progress, notes) to standard error, and nothing of the latter
// with --quiet. Failures are thrown as Error.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string_view>

#include "tensor/dtype.h"

namespace smallmind {

// The options that every command has; filled before a command's callback runs, and outlives it.
struct CliContext {
  int threads = 0;  // 0: as many as the machine gives us
  bool quiet = false;

  // The number of threads to use: --threads, else available_threads().
  int thread_count() const;
};

struct Command {
  const char* name;
  void (*add)(CLI::App& app, const CliContext& context);
};

// The type that an option with the values f32, f16 and bf16 names.
constexpr DType weight_type(std::string_view name) noexcept {
  return name == "f16" ? DType::f16 : name == "bf16" ? DType::bf16 : DType::f32;
}

// Thrown by print_out() when nobody reads standard output any more ("| head"): the program then ends quietly
// with status 0.
struct OutputClosed {};

// Writes to standard output at once. Throws OutputClosed, or Error (bad_input) for other failures such as a
// full disk.
void print_out(std::string_view text);

}  // namespace smallmind
