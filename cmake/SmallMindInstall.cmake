# cmake --install: the libraries, the public headers and a package, so that another project writes
#   find_package(SmallMind REQUIRED)
#   target_link_libraries(app PRIVATE SmallMind::smallmind)
# The layers are installed as the static libraries that they are; only include/smallmind/ is an interface to rely on.
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY SM_LAYER_TARGETS)
list(REMOVE_ITEM layers sm_cli)  # the program's own: it counts allocations by its own malloc
add_library(smallmind_library INTERFACE)
set_target_properties(smallmind_library PROPERTIES EXPORT_NAME smallmind)
target_link_libraries(smallmind_library INTERFACE ${layers})
target_include_directories(smallmind_library INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
add_library(SmallMind::smallmind ALIAS smallmind_library)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/SmallMind)
install(TARGETS smallmind_library ${layers} EXPORT SmallMindTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT SmallMindTargets NAMESPACE SmallMind:: DESTINATION ${package_folder})
if(EXISTS ${PROJECT_SOURCE_DIR}/include/smallmind)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/smallmind DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
file(WRITE ${PROJECT_BINARY_DIR}/SmallMindConfig.cmake [[
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)
find_dependency(nlohmann_json)
find_dependency(PkgConfig)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
find_package(EXPAT REQUIRED)
include(${CMAKE_CURRENT_LIST_DIR}/SmallMindTargets.cmake)
]])
write_basic_package_version_file(${PROJECT_BINARY_DIR}/SmallMindConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/SmallMindConfig.cmake ${PROJECT_BINARY_DIR}/SmallMindConfigVersion.cmake
        DESTINATION ${package_folder})
