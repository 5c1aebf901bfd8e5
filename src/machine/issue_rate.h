// How many instructions per cycle the core that this thread runs on takes in, measured: it tells whether
// somebody else uses the core at the same time.
//
// A cloud's virtual CPU is a hyperthread, and its sibling may be another guest's. While that one runs, the
// core alternates between the two at dispatch: code that needs few instructions for its work hardly feels it
// (a large product 12 %, a chain of dependent multiplications 2 %), code that needs many loses a third
// (attention over 64 positions 30 %). Neither CPU time nor steal time show it; a loop of instructions that no
// unit executes does. It clears a register, which ends where registers are renamed: no-operations would, too,
// but a Zen 4 fuses some of them, by how they lie in memory. A Zen 4 takes in 5.9 of them per cycle
// alone and between 3 and 4.5 shared. Phases last 10 to 300 ms and like to follow a thread's start, when the
// host has just chosen a core for it.
#pragma once

namespace smallmind {

// Instructions per cycle, a cycle being a third of a dependent multiplication (clock.h); takes some 7 us. 0
// on other architectures than x86-64.
double measured_issue_rate() noexcept;

// Of the highest rate of the same CPU, below which the core is taken for shared: alone, rates stay within 5
// %; in between lie moments that were shared for a part.
inline constexpr double kSharedIssueRate = 0.93;

}  // namespace smallmind
