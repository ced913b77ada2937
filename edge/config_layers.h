// What stands over the file of a configuration: the policy part from a remote source, for a reload the values of the
// running node for keys that need a restart, and the folder that the service manager keeps credentials in.
#pragma once

#include "edge/config_reader.h"

namespace holdfast {

// Whether a remote source may set it: limits, upstream, prechecks, scenes and a few more, never what names a file of
// this machine, where it listens, or who may call.
bool may_be_remote(const Option& option);

// Keys of `remote` take the place of the same keys; its [[precheck]], [[upstream.endpoint]] and [scene.*], where it has
// any, the place of all of theirs. Reports what a remote source may not set, and one that sets nothing.
void lay_over(ConfigText& text, ConfigText&& remote, ConfigProblems& problems);

// Names of files that are read may begin with ${CREDENTIALS_DIRECTORY}/, with or without the braces: the folder of that
// name, of this process, takes its place. No other variable is looked at, and not that one elsewhere in a name. Reports
// where there is none.
void expand_credentials(ConfigText& text, const ConfigEnvironment& env, ConfigProblems& problems);

void keep_running(ConfigText& text, const Config& running);

}  // namespace holdfast
