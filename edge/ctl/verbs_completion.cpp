// completion: for shells, and for the manual page; no node is asked.
#include <fmt/format.h>

#include "edge/ctl/completion.h"
#include "edge/ctl/session.h"

namespace holdfast::ctl {

int run_completion(Session& s) {
    const auto text = completion(s.command.shell, command_tree());
    if (!text) {
        s.console.complain(fmt::format("holdfastctl completion: \"{}\" is none of bash, zsh, fish, json",
                                       printable(s.command.shell.substr(0, 64))));
        return kWrongUsage;
    }
    s.console.data(*text);
    return kDone;
}

}  // namespace holdfast::ctl
