// What one recording says of each operation, pass by pass: the samples that comparisons are made of.
//
// A run is one recording of one process. Its warm passes are repeats of the same work, so each gives one
// sample of every operation. A recording without passes (of a whole command, say) counts as a single pass.
#pragma once

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "base/zone.h"
#include "profiler/recording.h"

namespace smallmind {

// An operation in one kind of pass: "linear" of phase decode in the pass "KV cache".
struct OpKey {
  std::string pass, name;
  Phase phase = Phase::none;
  auto operator<=>(const OpKey&) const = default;  // NOLINT(modernize-use-nullptr): there is no pointer here
};

// Per pass. Seconds are those of all threads in the operation itself, without inner zones and waits.
struct OpSamples {
  std::vector<double> seconds;
  double calls = 0, wait = 0, flops = 0, bytes = 0;  // medians over the passes; wait in seconds
  double heap_allocations = 0, heap_bytes = 0, arena_bytes = 0;
};

struct RunSamples {
  std::map<OpKey, OpSamples> ops;
  std::map<std::string, std::vector<double>> wall;  // by kind of pass: seconds of each
  std::string environment;                          // JSON, empty where the recording has none
  std::size_t threads = 0;
};

RunSamples run_samples(const Recording& recording);

}  // namespace smallmind
