// Apart from the screen: <term.h> makes macros of words like `lines`, and so comes last.
#include <unistd.h>

#include "edge/ctl/screen.h"

#define NCURSES_NOMACROS 1
#include <ncurses.h>
// After it.
#include <term.h>

namespace holdfast::ctl {

bool terminal_known() {
    int ignored = 0;
    if (::setupterm(nullptr, STDOUT_FILENO, &ignored) != 0) return false;
    ::del_curterm(cur_term);
    return true;
}

}  // namespace holdfast::ctl
