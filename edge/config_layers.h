// What stands over the file of a configuration: the policy part from a remote source, and, for a reload, the values of
// the running node for keys that need a restart.
#pragma once

#include "edge/config_reader.h"

namespace holdfast {

// Whether a remote source may set it: limits, upstream, prechecks, scenes and a few more, never what names a file of
// this machine, where it listens, or who may call.
bool may_be_remote(const Option& option);

// Keys of `remote` take the place of the same keys; its [[precheck]], [[upstream.endpoint]] and [scene.*], where it has
// any, the place of all of theirs. Reports what a remote source may not set, and one that sets nothing.
void lay_over(ConfigText& text, ConfigText&& remote, ConfigProblems& problems);

void keep_running(ConfigText& text, const Config& running);

}  // namespace holdfast
