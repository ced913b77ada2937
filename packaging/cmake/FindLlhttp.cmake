# Builds Debian's node-llhttp sources as the static target llhttp::llhttp.
#
# Strict mode is PUBLIC on purpose: the sources and every file that includes llhttp.h must agree, and the
# lenient build as shipped lets requests be smuggled (bare CR after an empty value, space before a colon).
find_path(Llhttp_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
find_path(Llhttp_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp /usr/share/llhttp NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Llhttp REQUIRED_VARS Llhttp_SOURCE_DIR Llhttp_INCLUDE_DIR)
if(Llhttp_FOUND AND NOT TARGET llhttp::llhttp)
  add_library(llhttp STATIC ${Llhttp_SOURCE_DIR}/llhttp.c ${Llhttp_SOURCE_DIR}/api.c ${Llhttp_SOURCE_DIR}/http.c)
  target_include_directories(llhttp SYSTEM PUBLIC ${Llhttp_INCLUDE_DIR})
  target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(llhttp PRIVATE -w)
  add_library(llhttp::llhttp ALIAS llhttp)
endif()
