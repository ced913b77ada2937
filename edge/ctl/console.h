// Where holdfastctl writes: data on standard output, everything else on standard error; tables that fit the terminal,
// colour only there and only without NO_COLOR. What comes from the node or a file is made safe to print.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/printable.h"
#include "edge/base/time.h"

namespace holdfast::ctl {

enum class Paint { plain, good, bad, warn };

class Console {
  public:
    struct Options {
        bool terminal = false;  // of standard output
        bool colour = false;
        std::size_t width = 0;  // of the terminal; 0: no limit
    };
    Console(std::FILE* out, std::FILE* err, Options options) : out_(out), err_(err), options_(options) {}
    static Options options_of_process();

    void data(std::string_view text);                  // as it is
    void line(std::string_view text);                  // cleaned, with a newline
    void painted(Paint paint, std::string_view text);  // likewise, in colour where that is wanted
    void complain(std::string_view text);              // standard error, each of its lines cleaned, with a newline
    // Columns as wide as they need; on a terminal the last one, which holds the reasons, is broken into lines that fit.
    void table(const std::vector<std::string>& heads, const std::vector<std::vector<std::string>>& rows);
    void clear();  // of the screen; nothing when it is no terminal
    bool flush();  // whether all that was written got out
    bool wait(Nanos span);  // false, and at once, when whoever reads what is written has gone
    bool reader_gone() const { return reader_gone_; }  // of the pipe that was written to
    bool works() const { return std::ferror(out_) == 0; }  // so far, without a flush
    bool terminal() const { return options_.terminal; }

  private:
    std::FILE* out_;
    std::FILE* err_;
    bool reader_gone_ = false;
    Options options_;
};

}  // namespace holdfast::ctl
