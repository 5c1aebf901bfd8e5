// The kernel benchmark's rows as a table for people and as one JSON document.
#pragma once

#include <string>

#include "profiler/kernel_bench.h"

namespace smallmind {

// Heading, and one line per row; each ends with a newline.
std::string kernel_table_head();
std::string kernel_table_row(const KernelResult& result);
// Targets of several rows, rivals and what other programs took.
std::string kernel_table_foot(const KernelBenchReport& report);

// {"results": [{kernel, form, shape, threads, value, unit, roofline_share, rivals: {name: value}, ...}],
// "together": [{of, passed, text}], "environment": {...}}.
std::string kernel_report_json(const KernelBenchReport& report, int threads);

}  // namespace smallmind
