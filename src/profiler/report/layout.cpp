// Sections as plain text, columns aligned, and as Markdown (GitHub's tables).
#include <fmt/format.h>

#include <algorithm>

#include "profiler/report/document.h"
#include "profiler/report/render.h"

namespace smallmind {
namespace {

bool left(const std::string& column) noexcept {
  return column.starts_with('<');
}

std::string title_of(const std::string& column) {
  return left(column) ? column.substr(1) : column;
}

// Characters of a UTF-8 text: bytes that do not continue one.
std::size_t width(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Names come from a file: no character of theirs may steer a terminal or leave its table cell.
std::string clean(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

void plain_row(const ReportSection& section, const std::vector<std::size_t>& widths,
               const std::vector<std::string>& cells, std::string& out) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = clean(cells[i]);
    const std::string padding(widths[i] - std::min(widths[i], width(cell)), ' ');
    line += i == 0 ? "" : "  ";
    line += left(section.columns[i]) ? cell + padding : padding + cell;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + "\n";
}

std::string markdown_cell(std::string_view text) {
  std::string out;
  const std::size_t indent = std::min(text.find_first_not_of(' '), text.size());
  for (std::size_t i = 0; i < indent; ++i) out += "&nbsp;";
  for (const char c : clean(text.substr(indent))) {
    if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '[') out += '\\';
    out += c == '<' ? "&lt;" : std::string(1, c);
  }
  return out;
}

}  // namespace

std::string plain_text(const std::vector<ReportSection>& sections) {
  std::string out;
  for (const ReportSection& section : sections) {
    if (!out.empty()) out += "\n";
    out += section.title + "\n" + std::string(width(section.title), '-') + "\n";
    for (const std::string& line : section.lines) out += clean(line) + "\n";
    if (section.columns.empty()) continue;
    std::vector<std::string> titles;
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < section.columns.size(); ++i) {
      titles.push_back(title_of(section.columns[i]));
      widths.push_back(width(titles.back()));
      for (const auto& row : section.rows) widths[i] = std::max(widths[i], width(row[i]));
    }
    plain_row(section, widths, titles, out);
    for (const auto& row : section.rows) plain_row(section, widths, row, out);
  }
  return out;
}

std::string markdown_text(const std::vector<ReportSection>& sections) {
  std::string out;
  for (const ReportSection& section : sections) {
    out += fmt::format("{} {}\n\n", out.empty() ? "#" : "##", markdown_cell(section.title));
    for (const std::string& line : section.lines) out += "- " + markdown_cell(line) + "\n";
    if (!section.lines.empty()) out += "\n";
    if (section.columns.empty()) continue;
    std::string rule = "|";
    out += "|";
    for (const std::string& column : section.columns) {
      out += " " + markdown_cell(title_of(column)) + " |";
      rule += left(column) ? " --- |" : " ---: |";
    }
    out += "\n" + rule + "\n";
    for (const auto& row : section.rows) {
      out += "|";
      for (const std::string& cell : row) out += " " + markdown_cell(cell) + " |";
      out += "\n";
    }
    out += "\n";
  }
  return out;
}

std::string text_report(const Report& report, const ReportOptions& options) {
  return plain_text(report_sections(report, options));
}

std::string markdown_report(const Report& report, const ReportOptions& options) {
  return markdown_text(report_sections(report, options));
}

}  // namespace smallmind
