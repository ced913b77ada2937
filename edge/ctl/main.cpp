#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "edge/base/processor.h"
#include "edge/ctl/session.h"

__attribute__((constructor(holdfast::kFirst))) static void before_all() {
    const char* missing = holdfast::missing_instructions();
    if (missing == nullptr) return;
    std::fprintf(stderr, "holdfastctl: this processor has no %s, which the program is compiled for\n", missing);
    std::_Exit(1);
}

int main(int argc, char** argv) {
    std::setlocale(LC_CTYPE, "");  // what of a text a table may show as it is
    std::signal(SIGPIPE, SIG_IGN);
    holdfast::ctl::Console console(stdout, stderr, holdfast::ctl::Console::options_of_process());
    const int code = holdfast::ctl::run({argv + 1, argv + argc}, console);
    // `holdfastctl … | head` ends as any program does; only talking to the node must the signal not end it.
    if (console.reader_gone()) {
        std::signal(SIGPIPE, SIG_DFL);
        std::raise(SIGPIPE);
    }
    return code;
}
