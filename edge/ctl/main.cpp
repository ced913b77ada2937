#include <csignal>

#include "edge/ctl/session.h"

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    holdfast::ctl::Console console(stdout, stderr, holdfast::ctl::Console::options_of_process());
    return holdfast::ctl::run({argv + 1, argv + argc}, console);
}
