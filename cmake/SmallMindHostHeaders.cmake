# What the kernels and their tests need of other projects, for an architecture whose libraries are not installed: the
# header-only forms of fmt, nlohmann-json and xxHash, and GoogleTest compiled from Debian's sources.
#
# The headers are reached through links in a folder of their own, because /usr/include itself also holds the C library
# of the host.
set(headers ${PROJECT_BINARY_DIR}/host_headers)
file(MAKE_DIRECTORY ${headers})
foreach(name fmt nlohmann xxhash.h xxh3.h)
  file(CREATE_LINK /usr/include/${name} ${headers}/${name} SYMBOLIC)
endforeach()

function(sm_header_only target)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} INTERFACE ${headers})
  target_compile_definitions(${target} INTERFACE ${ARGN})
endfunction()
sm_header_only(fmt::fmt FMT_HEADER_ONLY)
sm_header_only(nlohmann_json::nlohmann_json)
sm_header_only(PkgConfig::XXHASH XXH_INLINE_ALL)

set(googletest /usr/src/googletest/googletest)
add_library(gtest STATIC EXCLUDE_FROM_ALL ${googletest}/src/gtest-all.cc)
target_include_directories(gtest SYSTEM PUBLIC ${googletest}/include PRIVATE ${googletest})
target_link_libraries(gtest PUBLIC Threads::Threads)
add_library(gtest_main STATIC EXCLUDE_FROM_ALL ${googletest}/src/gtest_main.cc)
target_link_libraries(gtest_main PUBLIC gtest)
add_library(GTest::gtest ALIAS gtest)
add_library(GTest::gtest_main ALIAS gtest_main)
