# sm_registry(LAYER FOLDER HEADER DECLARATION ARRAY ENTRY): one file adds a thing.
# Writes LAYER/FOLDER_registry.h into the build folder from the sorted names of src/LAYER/FOLDER/*.cpp: it includes HEADER,
# declares DECLARATION for each and defines the constexpr ARRAY with an ENTRY for each, NAME standing for the file's name.
# (Static initialisers that register themselves would be dropped by the linker of a static library.)
function(sm_registry layer folder header declaration array entry)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${layer}/${folder}/*.cpp)
  list(SORT sources)
  set(declarations "")
  set(entries "")
  foreach(source ${sources})
    cmake_path(GET source STEM name)
    string(REPLACE NAME ${name} one_declaration "${declaration}")
    string(REPLACE NAME ${name} one_entry "${entry}")
    string(APPEND declarations "${one_declaration};\n")
    string(APPEND entries "    ${one_entry},\n")
  endforeach()
  set(folder_of_generated ${PROJECT_BINARY_DIR}/generated)
  file(CONFIGURE OUTPUT ${folder_of_generated}/${layer}/${folder}_registry.h @ONLY CONTENT
"// Written by cmake/SmallMindRegistry.cmake from the files of src/@layer@/@folder@.
#pragma once

#include \"@header@\"

namespace smallmind {

@declarations@
inline constexpr @array@[] = {
@entries@};

}  // namespace smallmind
")
  target_include_directories(sm_${layer} PRIVATE $<BUILD_INTERFACE:${folder_of_generated}>)
endfunction()
