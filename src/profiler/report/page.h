// The files of the page, page.html, page.css and page.js, as CMake put them into the program.
#pragma once

#include <string_view>

namespace smallmind {

std::string_view page_html() noexcept;
std::string_view page_css() noexcept;
std::string_view page_script() noexcept;

}  // namespace smallmind
