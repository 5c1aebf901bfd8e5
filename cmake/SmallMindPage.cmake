# sm_embed_page(TARGET FOLDER): puts page.html, page.css and the scripts *.js of a folder, joined in the order of their names,
# into TARGET as the functions of profiler/report/page.h.
function(sm_embed_page target folder)
  file(GLOB scripts CONFIGURE_DEPENDS ${folder}/*.js)
  list(SORT scripts)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/page.html ${folder}/page.css ${scripts})
  file(READ ${folder}/page.html html)
  file(READ ${folder}/page.css css)
  set(script "")
  foreach(file ${scripts})
    file(READ ${file} text)
    string(APPEND script "${text}\n")
  endforeach()
  set(source ${PROJECT_BINARY_DIR}/generated/profiler/page.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
"// Written by cmake/SmallMindPage.cmake.
#include \"profiler/report/page.h\"

namespace smallmind {

std::string_view page_html() noexcept {
  return R\"page(@html@)page\";
}

std::string_view page_css() noexcept {
  return R\"page(@css@)page\";
}

std::string_view page_script() noexcept {
  return R\"page(@script@)page\";
}

}  // namespace smallmind
")
  target_sources(${target} PRIVATE ${source})
endfunction()
