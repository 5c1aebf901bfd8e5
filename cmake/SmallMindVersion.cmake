# The header cli/version.h in the build folder: the version of project() and the commit that is being built. It is
# looked at in each build and written only when it changes, so that nothing is compiled for nothing.
# Run with -P it writes OUTPUT; included it defines the target sm_version.
if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 OUTPUT_VARIABLE commit
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT commit)
    set(commit unknown)
  endif()
  file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "// Written by cmake/SmallMindVersion.cmake.
#pragma once

namespace smallmind {

inline constexpr char kVersion[] = \"${VERSION}\";
inline constexpr char kCommit[] = \"${commit}\";

}  // namespace smallmind
")
  return()
endif()

add_custom_target(sm_version BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/cli/version.h
                  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
                          -DOUTPUT=${PROJECT_BINARY_DIR}/generated/cli/version.h
                          -P ${PROJECT_SOURCE_DIR}/cmake/SmallMindVersion.cmake
                  COMMENT "")
