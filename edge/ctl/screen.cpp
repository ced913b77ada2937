#include "edge/ctl/screen.h"

#define NCURSES_NOMACROS 1  // functions only: "erase" and "timeout" are words of ours as well
#include <ncurses.h>

#include <clocale>
#include <cstdlib>

namespace holdfast::ctl {
namespace {

attr_t attributes(const TopLine& line, bool colour) {
    if (line.head) return A_REVERSE;
    if (line.paint == Paint::plain) return A_NORMAL;
    if (!colour) return line.paint == Paint::good ? A_NORMAL : A_BOLD;
    return static_cast<attr_t>(COLOR_PAIR(static_cast<int>(line.paint)));
}

}  // namespace

Screen::Screen() {
    std::setlocale(LC_CTYPE, "");
    if (!terminal_known()) return;  // newterm() fails then as well, and loses memory with each time
    SCREEN* const terminal = ::newterm(nullptr, stdout, stdin);
    if (terminal == nullptr) return;
    handle_ = terminal;
    works_ = true;
    ::raw();  // ^C is a key: the terminal must be put back
    ::noecho();
    ::curs_set(0);
    ::keypad(stdscr, TRUE);
    if (std::getenv("NO_COLOR") == nullptr && ::has_colors()) {
        ::start_color();
        ::use_default_colors();
        ::init_pair(static_cast<short>(Paint::good), COLOR_GREEN, -1);
        ::init_pair(static_cast<short>(Paint::bad), COLOR_RED, -1);
        ::init_pair(static_cast<short>(Paint::warn), COLOR_YELLOW, -1);
    }
}

Screen::~Screen() {
    if (!works_) return;
    ::endwin();
    ::delscreen(static_cast<SCREEN*>(handle_));
}

std::size_t Screen::width() const {
    return static_cast<std::size_t>(getmaxx(stdscr));
}

void Screen::draw(const std::vector<TopLine>& lines) {
    ::erase();
    const bool colour = std::getenv("NO_COLOR") == nullptr && ::has_colors();
    const int rows = getmaxy(stdscr) - 1;
    for (int i = 0; i < rows && i < static_cast<int>(lines.size()); ++i) {
        const TopLine& line = lines[static_cast<std::size_t>(i)];
        ::attrset(static_cast<int>(attributes(line, colour)));
        ::mvaddstr(i, 0, line.text.c_str());
    }
    ::attrset(A_DIM);
    ::mvaddstr(rows, 0, "q quit   space refresh");
    ::attrset(A_NORMAL);
    ::refresh();
}

Screen::Key Screen::wait(Nanos limit) {
    ::timeout(static_cast<int>(limit / 1ms));
    const int key = ::getch();
    if (key == 'q' || key == 'Q' || key == 3 || key == 4) return Key::quit;  // ^C, ^D
    return key == ' ' ? Key::refresh : Key::none;
}

}  // namespace holdfast::ctl
