// Where a measurement was made: the machine, its limits and settings, and the program's build, as JSON.
#pragma once

#include <string>
#include <string_view>

namespace smallmind {

// version and commit of the program that measures; threads: those that it uses. An object with string and
// number members: cpu, features, l1d_bytes, l2_bytes, l3_bytes, isa, threads, threads_why, quota_cores,
// memory_bytes, governor (or why it is not known), clock_ghz (machine/clock.h), cgroup_memory_limit,
// cgroup_memory_source, cgroup_quota_source, huge_pages, system, host_load, compiler, build, flags (those of
// all files; kernels add their own), version, commit, time (UTC). A member that the system does not tell is
// absent.
std::string environment_json(std::string_view version, std::string_view commit, int threads);

}  // namespace smallmind
