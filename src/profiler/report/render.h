// Reports of a recording in every format.
//
//   render_report(Recording::open("run.smprof"), ReportFormat::text, {}, print_out);
//
// text       tables for a terminal           markdown   the same tables
// json       one document, see json_report   html       a page of its own: no network, no other files
// trace      Chrome trace events: ui.perfetto.dev, chrome://tracing
// folded     stacks with exclusive nanoseconds, for flame graph tools
//
// All but the trace are functions of a Report; the trace holds every event, so it is written on the way.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "profiler/report/report.h"

namespace smallmind {

enum class ReportFormat : std::uint8_t { text, markdown, json, html, trace, folded };

// Throws Error{usage} for a name that is none of the above.
ReportFormat parse_report_format(std::string_view name);

using ReportSink = std::function<void(std::string_view)>;

void render_report(const Recording& recording, ReportFormat format, const ReportOptions& options,
                   const ReportSink& sink);

// Into a file, whole or not at all.
void write_report(const Recording& recording, ReportFormat format, const ReportOptions& options,
                  const std::filesystem::path& path);

// options: top is the length of tables.
std::string text_report(const Report& report, const ReportOptions& options = {});
std::string markdown_report(const Report& report, const ReportOptions& options = {});

// {workload, wall_seconds, threads, zones: [{name, phase, calls, exclusive_ms, inclusive_ms, gflops, gbps,
// roofline_share, heap_allocations, heap_bytes, ...}], memory, environment, passes, phases, layers,
// cold_zones, calls, roofline, insights, ...}. zones are those of the warm passes where there are any ("part"
// tells). A share that is not known is null.
std::string json_report(const Report& report);

// The report must have its lanes.
std::string html_report(const Report& report);

// {"traceEvents": [...]}: per thread complete events by their begin, each inside the one that holds it, and
// counters of memory. Holds some 100,000 events in memory, however long the recording is.
void write_trace(const Recording& recording, const ReportSink& sink);

}  // namespace smallmind
