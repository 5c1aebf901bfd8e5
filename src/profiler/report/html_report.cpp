// The page: page.html with its style, its script and the report's data put in. The data is JSON that no name
// from a recording can leave: '<' is written as \u003c.
#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/error.h"
#include "profiler/report/json_report.h"
#include "profiler/report/page.h"
#include "profiler/report/render.h"

namespace smallmind {
namespace {

using nlohmann::ordered_json;

// A view's spans by thread and depth, as numbers: nanoseconds from the begin of the span before, nanoseconds
// of duration, label, intervals, per cent covered.
ordered_json lane(const LaneView& view, const Report& report) {
  const double to_ns = 1e9 * report.calls.tick;
  const auto ns = [&](std::uint64_t ticks) { return std::llround(to_ns * static_cast<double>(ticks)); };
  ordered_json rows = ordered_json::array();
  std::size_t i = 0;
  while (i < view.spans.size()) {
    const auto [thread, depth] = std::pair(view.spans[i].thread, view.spans[i].depth);
    ordered_json spans = ordered_json::array();
    std::int64_t before = 0;
    for (; i < view.spans.size() && view.spans[i].thread == thread && view.spans[i].depth == depth; ++i) {
      const LaneSpan& span = view.spans[i];
      const std::int64_t begin = ns(span.begin - view.begin), end = ns(span.end - view.begin);
      spans.push_back(begin - before);
      spans.push_back(end - begin);
      spans.push_back(span.site);
      spans.push_back(span.count);
      spans.push_back(std::lround(100 * span.cover));
      before = begin;
    }
    rows.push_back({{"thread", thread}, {"depth", depth}, {"spans", std::move(spans)}});
  }
  return {{"title", view.title}, {"ns", ns(view.end - view.begin)}, {"rows", std::move(rows)}};
}

// Replaces the one mark in the text.
void put(std::string& text, std::string_view mark, std::string_view what) {
  const std::size_t at = text.find(mark);
  SM_CHECK(at != std::string::npos, "[report] the mark {} in the page expected, none found", mark);
  text.replace(at, mark.size(), what);
}

std::string script_safe(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string html_report(const Report& report) {
  ordered_json data = report_json(report);
  constexpr const char* kKinds[] = {"zone", "op", "pass", "share", "wait", "idle"};
  data["labels"] = ordered_json::array();
  for (const LaneLabel& label : report.lane_labels)
    data["labels"].push_back({label.name, label.detail, kKinds[static_cast<int>(label.kind)]});
  data["lanes"] = ordered_json::array();
  for (const LaneView& view : report.lanes) data["lanes"].push_back(lane(view, report));
  std::string page(page_html());
  put(page, "/* style */", page_css());
  put(page, "/* script */", page_script());
  put(page, "/* data */", script_safe(data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  return page;
}

}  // namespace smallmind
