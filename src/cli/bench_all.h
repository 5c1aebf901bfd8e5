// smallmind bench --all: every workload in one report, and what changed since the runs before.
#pragma once

#include <memory>
#include <string>

#include "cli/command.h"

namespace smallmind {

struct BenchAllArguments {
  bool all = false, history = false;
  std::string out = "bench-results";
  int repeats = 0;
};

// Adds --all, --history and what they need.
void add_bench_all_options(CLI::App& bench, BenchAllArguments& arguments);

// seconds: per part. With `history` nothing is measured.
void bench_all(const BenchAllArguments& arguments, double seconds, bool json, const CliContext& context);

}  // namespace smallmind
