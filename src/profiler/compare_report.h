// A comparison as text for people, as Markdown and as JSON.
#pragma once

#include <string>

#include "profiler/compare.h"

namespace smallmind {

struct CompareReportOptions {
  std::string before = "A", after = "B";  // names of the sides
  std::size_t most = 10;                  // rows of each table
};

std::string compare_text(const Comparison& comparison, const CompareReportOptions& options);
std::string compare_markdown(const Comparison& comparison, const CompareReportOptions& options);
std::string compare_json(const Comparison& comparison, const CompareReportOptions& options);

}  // namespace smallmind
