// A terminal that is drawn over and over (ncurses), for `holdfastctl top`. The only room that sees curses, whose names
// are macros. Put back as it was when the object goes.
#pragma once

#include <vector>

#include "edge/base/time.h"
#include "edge/ctl/top_view.h"

namespace holdfast::ctl {

// Whether the terminal's type (TERM) is described on this machine.
bool terminal_known();

class Screen {
  public:
    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    bool works() const { return works_; }  // false: no terminal that curses knows
    std::size_t width() const;
    void draw(const std::vector<TopLine>& lines);
    enum class Key { none, quit, refresh };
    Key wait(Nanos limit);  // for a key: q or ^C, space, or none in time

  private:
    bool works_ = false;
    void* handle_ = nullptr;  // of the terminal, curses' own
};

}  // namespace holdfast::ctl
