# hf_embed(out file symbol): a source file that defines `symbol`, declared in edge/embedded.h, as the bytes of `file`;
# its path is appended to the list `out`. Configuring again when the file changes keeps both in step.
function(hf_embed out file symbol)
  file(READ ${CMAKE_SOURCE_DIR}/${file} content)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${file})
  set(source ${CMAKE_BINARY_DIR}/embedded/${symbol}.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [==[
#include "edge/embedded.h"

const std::string_view holdfast::@symbol@ = R"embedded(@content@)embedded";
]==])
  set(${out} ${${out}} ${source} PARENT_SCOPE)
endfunction()
