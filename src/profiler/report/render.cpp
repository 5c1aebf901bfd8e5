// See render.h.
#include "profiler/report/render.h"

#include <array>

#include "base/atomic_file.h"
#include "base/error.h"

namespace smallmind {

ReportFormat parse_report_format(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"text", "markdown", "json", "html", "trace", "folded"};
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<ReportFormat>(i);
  fail_usage("[report] text, markdown, json, html, trace or folded expected, {} asked for", name);
}

void render_report(const Recording& recording, ReportFormat format, const ReportOptions& options,
                   const ReportSink& sink) {
  if (format == ReportFormat::trace) return write_trace(recording, sink);
  if (format == ReportFormat::folded) return sink(folded_stacks(make_call_tree(recording)));
  ReportOptions wanted = options;
  wanted.lanes = format == ReportFormat::html;
  const Report report = make_report(recording, wanted);
  switch (format) {
    case ReportFormat::markdown:
      return sink(markdown_report(report, options));
    case ReportFormat::json:
      return sink(json_report(report));
    case ReportFormat::html:
      return sink(html_report(report));
    case ReportFormat::text:
    case ReportFormat::trace:
    case ReportFormat::folded:
      break;
  }
  sink(text_report(report, options));
}

void write_report(const Recording& recording, ReportFormat format, const ReportOptions& options,
                  const std::filesystem::path& path) {
  AtomicFile file(path);
  render_report(recording, format, options, [&](std::string_view text) { file.append(text); });
  file.commit();
}

}  // namespace smallmind
