// Chooses the kernel table for this CPU, once.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/kernels.h"

namespace smallmind {

// The table in use: the best that the CPU supports, or the one that SMALLMIND_ISA names.
// Throws Error{bad_input} when SMALLMIND_ISA names a table that does not exist or that this CPU cannot run.
// Thread-safe; the first call decides.
const KernelTable& kernels();

// The table of one instruction set, for tests and benchmarks. Throws as kernels() does.
const KernelTable& kernels_for(std::string_view isa);

// Names of the tables that this CPU can run, slowest first: "scalar" is always there.
std::vector<std::string_view> available_isas();

}  // namespace smallmind
