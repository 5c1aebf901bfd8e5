# sm_layer(NAME deps...): declares the library of the folder src/NAME and what it may include.
# sm_layer_tests(NAME): declares the test program of the folder tests/NAME; nn and model run once more with each
# instruction set that this machine knows, so that all paths are tested on one machine. The tests of kernels name the sets
# themselves: only the choice among them is tested once more.

# The baseline of the whole program, the instruction sets that tests run with once more, and the folders of src/kernels/
# that are another architecture's.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(SM_BASELINE armv8-a)
  set(SM_TESTED_ISAS scalar neon)
  set(SM_FOREIGN_ISAS "/kernels/avx")
else()
  set(SM_BASELINE x86-64-v2)
  set(SM_TESTED_ISAS scalar avx2)
  set(SM_FOREIGN_ISAS "/kernels/neon/")
endif()

add_library(sm_options INTERFACE)
target_compile_features(sm_options INTERFACE cxx_std_20)
target_compile_options(sm_options INTERFACE -march=${SM_BASELINE} -Wall -Wextra -Wconversion -Wshadow
                       # GCC 12 sees overlaps in std::string's own operator+ at -O3 (GCC bug 105651).
                       $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<BOOL:${SMALLMIND_WERROR}>:-Werror>)
if(SMALLMIND_SANITIZE)
  target_compile_options(sm_options INTERFACE -fsanitize=${SMALLMIND_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(sm_options INTERFACE -fsanitize=${SMALLMIND_SANITIZE})
endif()

function(sm_layer name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$|${SM_FOREIGN_ISAS}")
  list(SORT sources)
  if(NOT sources)
    return()
  endif()
  add_library(sm_${name} STATIC ${sources})
  target_include_directories(sm_${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}>
                             $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  target_link_libraries(sm_${name} PUBLIC $<BUILD_INTERFACE:sm_options>)
  target_compile_features(sm_${name} PUBLIC cxx_std_20)
  set_target_properties(sm_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY SM_LAYER_TARGETS sm_${name})
  target_compile_definitions(sm_${name} PUBLIC SM_ZONES=$<BOOL:${SMALLMIND_ZONES}>)
  foreach(dep ${ARGN})
    if(TARGET sm_${dep})
      target_link_libraries(sm_${name} PUBLIC sm_${dep})
    endif()
  endforeach()
endfunction()

# sm_kernel_flags(ISA flags...): what the files of src/kernels/ISA are compiled with, in every build type: the ISA's own flags
# and contraction to FMA. GCC 12 warns about the undefined operands of its own AVX-512 intrinsics.
function(sm_kernel_flags isa)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/${isa}/*.cpp)
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS
    "-O3;-ffp-contract=fast;-fno-exceptions;-fno-rtti;-fno-math-errno;-fno-trapping-math;-Wno-uninitialized;-Wno-maybe-uninitialized;${ARGN}")
endfunction()

function(sm_layer_tests name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  list(SORT sources)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(test_${name} PRIVATE SM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             SM_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
  target_link_libraries(test_${name} PRIVATE GTest::gtest GTest::gtest_main)
  foreach(dep ${name} ${ARGN})
    if(TARGET sm_${dep})
      target_link_libraries(test_${name} PRIVATE sm_${dep})
    endif()
  endforeach()
  if(name STREQUAL kernels)
    set(repeated "--gtest_filter=*Dispatch*")
  endif()
  if(CMAKE_CROSSCOMPILING)  # slow: in parts, so that all CPUs work
    foreach(shard RANGE 3)
      sm_add_gtest(${name}_part${shard} test_${name})
      set_tests_properties(${name}_part${shard} PROPERTIES ENVIRONMENT "GTEST_TOTAL_SHARDS=4;GTEST_SHARD_INDEX=${shard}")
    endforeach()
  else()
    sm_add_gtest(${name} test_${name})
  endif()
  if(name MATCHES "^(kernels|nn|model)$")
    file(STRINGS /proc/cpuinfo has_avx2 REGEX "^flags.* avx2 " LIMIT_COUNT 1)
    foreach(isa ${SM_TESTED_ISAS})
      sm_add_gtest(${name}_${isa} test_${name} ${repeated})
      set_tests_properties(${name}_${isa} PROPERTIES ENVIRONMENT SMALLMIND_ISA=${isa})
      if(isa STREQUAL avx2 AND NOT has_avx2)
        set_tests_properties(${name}_${isa} PROPERTIES DISABLED TRUE)
      endif()
    endforeach()
  endif()
endfunction()

# The file of results is what tools/run_tests.py counts.
function(sm_add_gtest name program)
  add_test(NAME ${name} COMMAND ${program} --gtest_brief=1 ${ARGN}
           --gtest_output=xml:${CMAKE_BINARY_DIR}/results/${name}.xml)
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
endfunction()
