// The clock of the core that this thread runs on, measured: where there is no cpufreq (virtual machines),
// nothing else tells at what speed a figure was made.
#pragma once

namespace smallmind {

// GHz, from a chain of dependent 64-bit multiplications: 3 cycles each on every x86-64 core since 2008 (Fog,
// "Instruction tables"; Nehalem to Golden Cove, Zen 1 to 5). Takes some 3 ms: the fastest of several short
// samples, so that an interruption does not count. 0 on other architectures, where the latency is not one
// number.
double measured_clock_ghz() noexcept;

}  // namespace smallmind
