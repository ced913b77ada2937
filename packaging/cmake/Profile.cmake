# How the node's own code is optimized beyond a file at a time. HOLDFAST_PROFILE:
#   off   not at all
#   use   across files, and by what packaging/profile/node.tar.xz counted of a node under load (see the README there)
#   make  with counters, to count anew; the counts go to profile/ of the build folder when the program ends
# Only gcc reads gcc's counts, and only of its own version: another compiler builds as with off. Where a function has
# changed since it was counted it is compiled as if it had not been: the counts choose no behaviour.
set(HOLDFAST_PROFILE "off" CACHE STRING "off, use, or make: optimization by counts of a node under load")
set_property(CACHE HOLDFAST_PROFILE PROPERTY STRINGS off use make)
set(hf_profile_options)
set(hf_profile_compile)
set(hf_profile_link)
set(hf_profile_launcher)
set(hf_counts)
if(NOT HOLDFAST_PROFILE MATCHES "^(off|use|make)$")
  message(FATAL_ERROR "HOLDFAST_PROFILE is off, use or make, not \"${HOLDFAST_PROFILE}\"")
endif()
set(compiler "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
if(NOT HOLDFAST_PROFILE STREQUAL "off" AND compiler MATCHES "^GNU 12\\.")
  set(counts ${CMAKE_BINARY_DIR}/profile)
  if(HOLDFAST_PROFILE STREQUAL "use")
    set(archive ${CMAKE_SOURCE_DIR}/packaging/profile/node.tar.xz)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${archive})
    # Other counts lie elsewhere, so that everything is compiled anew with them.
    file(SHA256 ${archive} digest)
    string(SUBSTRING ${digest} 0 8 digest)
    string(APPEND counts -${digest})
    if(NOT EXISTS ${counts})
      file(REMOVE_RECURSE ${counts}.new)
      file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${counts}.new)
      file(RENAME ${counts}.new ${counts})
    endif()
    set(hf_counts ${counts})
    # What libraries are asked for is bound at the start anyway (-z now): it is called without a jump in between.
    set(hf_profile_options -fno-plt -fprofile-use=${counts} -fprofile-partial-training
                           -Wno-missing-profile -Wno-coverage-mismatch)
    # Where the counts tell a size, gcc would copy with "rep movsq", which takes long to start; libc does it better.
    if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
      list(APPEND hf_profile_options -mmemcpy-strategy=unrolled_loop:32:noalign,libcall:-1:noalign
                                     -mmemset-strategy=unrolled_loop:64:noalign,libcall:-1:noalign)
    endif()
    # The other programs link the same libraries, hence objects that also hold the code of each file by itself.
    set(hf_profile_compile -flto -ffat-lto-objects)
    set(hf_profile_link -flto=auto)
    add_link_options(-fno-lto)  # of the other programs
  else()
    set(hf_profile_options -fprofile-generate=${counts} -fprofile-update=prefer-atomic)
    add_link_options(-fprofile-generate)
  endif()
  # The same in every checkout: the counts of a file are found by its object's path below the build folder, those of its
  # local functions by the path of the file as it was given to gcc.
  list(APPEND hf_profile_options -fprofile-prefix-path=${CMAKE_BINARY_DIR})
  set(hf_profile_launcher ${CMAKE_SOURCE_DIR}/packaging/cmake/relative ${CMAKE_SOURCE_DIR})
endif()

# hf_counted(result library source...): those of the sources that are compiled by counts, or to be counted. Counts belong
# to a file, so each of these is compiled for itself.
function(hf_counted result library)
  set(counted)
  foreach(source IN LISTS ARGN)
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${source})
    string(REPLACE / \# path ${path})
    set(counts "${hf_counts}/CMakeFiles#${library}.dir#${path}.gcda")
    if(hf_profile_options AND (HOLDFAST_PROFILE STREQUAL "make" OR EXISTS ${counts}))
      list(APPEND counted ${source})
    endif()
  endforeach()
  set(${result} ${counted} PARENT_SCOPE)
endfunction()

# hf_profile(program library...): the program, and what of its own code it is linked from.
function(hf_profile program)
  set(launcher ${hf_profile_launcher} ${CMAKE_CXX_COMPILER_LAUNCHER})
  foreach(part IN LISTS ARGV)
    get_target_property(groups ${part} UNITY_BUILD)
    if(groups)
      continue()  # nothing in it was counted: it is compiled like everything else
    endif()
    target_compile_options(${part} PRIVATE ${hf_profile_options} ${hf_profile_compile})
    set_target_properties(${part} PROPERTIES CXX_COMPILER_LAUNCHER "${launcher}")
  endforeach()
  get_target_property(link ${program} LINK_OPTIONS)  # what every other program has; false when that is nothing
  if(link)
    list(REMOVE_ITEM link -fno-lto)
    set_target_properties(${program} PROPERTIES LINK_OPTIONS "${link}")
  endif()
  target_link_options(${program} PRIVATE ${hf_profile_options} ${hf_profile_link})
endfunction()
