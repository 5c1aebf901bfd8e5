// Who called what for how long: the intervals of all threads, merged by their path from the thread down.
//
// A node is a (name, kind, phase) below one path; the cold pass is a node apart from the warm ones. Ticks are
// whole numbers, so a node's exclusive ticks and those of all nodes below it add up to its inclusive ticks
// exactly. The root of a thread lasts as long as the thread was there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profiler/recording.h"

namespace smallmind {

struct CallNode {
  std::string name;
  ZoneKind kind = ZoneKind::zone;
  Phase phase = Phase::none;
  bool cold = false;                                     // of a pass: the first one
  std::int64_t calls = 0, inclusive = 0, exclusive = 0;  // ticks
  std::uint64_t heap_allocations = 0, heap_bytes = 0;    // inner ones included
  std::vector<std::size_t> children;                     // places in CallTree::nodes, longest first
};

struct CallTree {
  std::vector<CallNode> nodes;
  std::vector<std::size_t> roots;  // one per thread, in the recording's order
  double tick = 1e-9;              // seconds

  double seconds(std::int64_t ticks) const noexcept { return static_cast<double>(ticks) * tick; }
};

CallTree make_call_tree(const Recording& recording);

// "linear", "linear [decode]" where the phase is not that of what it stands in, "decode (cold)", "(wait)".
std::string call_label(const CallNode& node, Phase outer);

// One line per path with the exclusive time in nanoseconds, as flame graph tools read them:
// "main;decode (warm);forward;linear 1234". Paths of the same labels are one line each.
std::string folded_stacks(const CallTree& tree);

}  // namespace smallmind
