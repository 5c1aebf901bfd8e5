// A report as sections of lines and tables, which are then laid out as plain text or as Markdown.
#pragma once

#include <string>
#include <vector>

#include "profiler/report/report.h"

namespace smallmind {

struct ReportSection {
  std::string title;
  std::vector<std::string> lines;              // before the table
  std::vector<std::string> columns;            // a leading '<' aligns to the left
  std::vector<std::vector<std::string>> rows;  // as many cells as columns
};

std::vector<ReportSection> report_sections(const Report& report, const ReportOptions& options);

std::string plain_text(const std::vector<ReportSection>& sections);
std::string markdown_text(const std::vector<ReportSection>& sections);

}  // namespace smallmind
