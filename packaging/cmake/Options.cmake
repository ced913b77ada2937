# Warnings, sanitizers, hardening, and the two shapes of target that the project has.
add_library(hf_options INTERFACE)
target_compile_options(hf_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                       -Wno-missing-field-initializers -Werror=return-type -Werror=unused-result)
target_include_directories(hf_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(hf_options INTERFACE HOLDFAST_VERSION="${PROJECT_VERSION}")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g1")
# SSE4.2, which every server processor since 2012 has: llhttp goes through a head 16 bytes at a time with it.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_compile_options(-march=x86-64-v2)
endif()
if(HOLDFAST_SANITIZE)
  add_compile_options(-fsanitize=${HOLDFAST_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HOLDFAST_SANITIZE})
  if(HOLDFAST_SANITIZE MATCHES "thread")
    target_compile_options(hf_options INTERFACE -Wno-tsan)
  endif()
endif()
# The checks that look at each access by itself take a third of the time to compile and half of a program's size, and the
# address sanitizer sees most of the same: beside it they are left out. The preset ubsan and the fuzzers have them all.
if(HOLDFAST_SANITIZE MATCHES "address" AND NOT HOLDFAST_FUZZ)
  add_compile_options(-fno-sanitize=null,alignment,object-size,pointer-overflow,vptr)
endif()
# Each check has data with addresses, up to a million in a program, to be set anew at each start if it lies elsewhere.
if(HOLDFAST_SANITIZE MATCHES "undefined" AND NOT HOLDFAST_FUZZ)
  add_link_options(-no-pie)
endif()
if(HOLDFAST_HARDEN)
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero)
  add_compile_definitions(_FORTIFY_SOURCE=3 _GLIBCXX_ASSERTIONS)
  add_link_options(-Wl,-z,relro,-z,now -pie)
endif()
if(HOLDFAST_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# What nearly every file includes; parsed once a library instead of once a file, which is a third of the build.
set(hf_common_headers <algorithm> <array> <chrono> <cstdint> <deque> <functional> <map> <memory> <optional> <span> <string>
    <string_view> <unordered_map> <vector> <fmt/format.h> <tl/expected.hpp>)

# Most of the time of a build goes to headers. With HOLDFAST_UNITY the files of a library whose names begin with the same
# letter are compiled as one, in half the time: what a build from nothing wants, as CI's. A file more changes one group
# only. Names in the anonymous namespaces of a group must differ. Those of hf_single stay single.
option(HOLDFAST_UNITY "Compile the files of a library in groups" OFF)
set(hf_single)
function(hf_in_groups target)
  if(NOT HOLDFAST_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # It takes a file of the group for a header.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  foreach(source IN LISTS ARGN)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "^[a-z0-9]+_(.+_test)$" "\\1" letter ${name})  # of a test what follows its layer's name
    string(SUBSTRING ${letter} 0 1 letter)
    if(NOT name IN_LIST hf_single)
      set_property(SOURCE ${source} PROPERTY UNITY_GROUP ${letter})
    endif()
  endforeach()
endfunction()

include(Profile)

# hf_objects(kind name SOURCES ... LINKS ... PRIVATE_LINKS ... [HEADERS_OF other])
function(hf_objects kind name)
  cmake_parse_arguments(arg "" "HEADERS_OF" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} ${kind} ${arg_SOURCES})
  if(arg_HEADERS_OF)
    target_precompile_headers(${name} REUSE_FROM ${arg_HEADERS_OF})
  else()
    target_precompile_headers(${name} PRIVATE ${hf_common_headers})
  endif()
  target_link_libraries(${name} PUBLIC hf_options ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
endfunction()

# hf_library(name SOURCES ... LINKS ... PRIVATE_LINKS ... [HEADERS_OF other]); an empty layer becomes an interface library.
# HEADERS_OF: a library that is compiled with the same options has parsed the common headers already.
# Of a library with files that a profile counted, these alone are compiled by it, each for itself; NAME_rest is the others.
function(hf_library name)
  cmake_parse_arguments(arg "" "HEADERS_OF" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  list(FILTER arg_SOURCES EXCLUDE REGEX "/main\\.cpp$")
  if(NOT arg_SOURCES)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE hf_options ${arg_LINKS} ${arg_PRIVATE_LINKS})
    return()
  endif()
  set(links LINKS ${arg_LINKS} PRIVATE_LINKS ${arg_PRIVATE_LINKS})
  hf_counted(counted ${name} ${arg_SOURCES})
  if(NOT counted)
    hf_objects(STATIC ${name} SOURCES ${arg_SOURCES} ${links} HEADERS_OF ${arg_HEADERS_OF})
    hf_in_groups(${name} ${arg_SOURCES})
    return()
  endif()
  hf_objects(STATIC ${name} SOURCES ${counted} ${links} HEADERS_OF ${arg_HEADERS_OF})
  list(REMOVE_ITEM arg_SOURCES ${counted})
  if(arg_SOURCES)
    if(TARGET ${arg_HEADERS_OF}_rest)
      string(APPEND arg_HEADERS_OF _rest)
    else()
      set(arg_HEADERS_OF)
    endif()
    hf_objects(OBJECT ${name}_rest SOURCES ${arg_SOURCES} ${links} HEADERS_OF ${arg_HEADERS_OF})
    hf_in_groups(${name}_rest ${arg_SOURCES})
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:${name}_rest>)
  endif()
endfunction()

# hf_program(name main.cpp [OPTIMIZED] LINKS ...); skipped while its main does not exist.
# OPTIMIZED: so is its main file. Linked across files, a function in a header is taken from the file that comes first, and
# gcc inlines none that is optimized less than its caller: -O1 there costs the node 6,300 instructions a request.
function(hf_program name main)
  cmake_parse_arguments(arg "OPTIMIZED" "" "LINKS" ${ARGN})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${main})
    add_executable(${name} ${main})
    # What a main file does is done once; with CLI11 in it, its compiling is what takes time.
    if(HOLDFAST_SANITIZE)
      set_source_files_properties(${main} PROPERTIES COMPILE_OPTIONS -O0)
    elseif(NOT arg_OPTIMIZED)
      set_source_files_properties(${main} PROPERTIES COMPILE_OPTIONS -O1)
    endif()
    target_link_libraries(${name} PRIVATE ${arg_LINKS})
  endif()
endfunction()
