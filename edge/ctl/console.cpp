#include "edge/ctl/console.h"

#include <fmt/format.h>
#include <libsmartcols/libsmartcols.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "edge/base/bytes.h"

namespace holdfast::ctl {
namespace {

const char* code_of(Paint paint) {
    switch (paint) {
        case Paint::good:
            return "\x1b[32m";
        case Paint::bad:
            return "\x1b[31m";
        case Paint::warn:
            return "\x1b[33m";
        case Paint::plain:
            break;
    }
    return "";
}

// Frees what libsmartcols made, whichever way the function is left.
struct TableHolder {
    libscols_table* table = scols_new_table();
    ~TableHolder() { scols_unref_table(table); }
};

constexpr std::size_t kLastColumnMin = 24;  // where less is left for it the terminal breaks the lines

// Lines of at most `width`, broken between words; a word that is longer is broken where the line ends.
std::string broken(std::string_view text, std::size_t width) {
    std::string out;
    for (std::size_t used = 0; !text.empty();) {
        const std::size_t end = std::min(text.find(' '), text.size());
        std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (used > 0 && used + 1 + characters(word) > width) {
            out += '\n';
            used = 0;
        } else if (used > 0) {
            out += ' ';
            ++used;
        }
        for (const char c : word) {
            const bool begins = begins_character(c);
            if (begins && used == width) {
                out += '\n';
                used = 0;
            }
            out += c;
            used += begins ? 1 : 0;
        }
    }
    return out;
}

// What a terminal leaves for the last column; 0: as much as it wants.
std::size_t room_for_last(const std::vector<std::string>& heads, const std::vector<std::vector<std::string>>& rows,
                          std::size_t terminal) {
    if (terminal == 0 || heads.empty()) return 0;
    std::size_t before = 0;
    for (std::size_t i = 0; i + 1 < heads.size(); ++i) {
        std::size_t widest = characters(heads[i]);
        for (const auto& row : rows)
            if (i < row.size()) widest = std::max(widest, characters(printable(row[i])));
        before += widest + 1;
    }
    return std::max(kLastColumnMin, terminal > before ? terminal - before : 0);
}

}  // namespace

Console::Options Console::options_of_process() {
    Options out;
    out.terminal = ::isatty(STDOUT_FILENO) == 1;
    const char* no_colour = std::getenv("NO_COLOR");
    out.colour = out.terminal && (no_colour == nullptr || *no_colour == '\0');
    winsize size{};
    if (out.terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) out.width = size.ws_col;
    return out;
}

void Console::data(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), out_) < text.size()) reader_gone_ |= errno == EPIPE;
}
void Console::line(std::string_view text) {
    data(printable(text) + "\n");
}
void Console::painted(Paint paint, std::string_view text) {
    if (!options_.colour || paint == Paint::plain) return line(text);
    data(fmt::format("{}{}\x1b[0m\n", code_of(paint), printable(text)));
}
void Console::complain(std::string_view text) {
    do {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        std::fputs((printable(line) + "\n").c_str(), err_);
    } while (!text.empty());
}
void Console::clear() {
    if (options_.terminal) data("\x1b[H\x1b[2J");
}
bool Console::flush() {
    if (std::fflush(out_) != 0) reader_gone_ |= errno == EPIPE;
    return std::ferror(out_) == 0;
}

bool Console::wait(Nanos span) {
    pollfd one{::fileno(out_), 0, 0};  // errors and hang-ups are told without being asked for
    reader_gone_ |= ::poll(&one, 1, static_cast<int>(span / 1ms)) > 0;
    return !reader_gone_;
}

void Console::table(const std::vector<std::string>& heads, const std::vector<std::vector<std::string>>& rows) {
    TableHolder holder;
    if (holder.table == nullptr) return;
    scols_table_enable_colors(holder.table, 0);
    scols_table_set_termforce(holder.table, options_.width > 0 ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
    if (options_.width > 0) scols_table_set_termwidth(holder.table, options_.width);
    const std::size_t room = room_for_last(heads, rows, options_.width);
    for (std::size_t i = 0; i < heads.size(); ++i) {
        const bool breaks = room > 0 && i + 1 == heads.size();
        libscols_column* column = scols_table_new_column(holder.table, heads[i].c_str(), 0, breaks ? SCOLS_FL_WRAP : 0);
        if (column == nullptr || !breaks) continue;
        scols_column_set_safechars(column, "\n");
        scols_column_set_wrapfunc(column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, nullptr);
    }
    for (const auto& row : rows) {
        libscols_line* one = scols_table_new_line(holder.table, nullptr);
        for (std::size_t i = 0; one != nullptr && i < heads.size() && i < row.size(); ++i) {
            const bool breaks = room > 0 && i + 1 == heads.size();
            const std::string text = printable(row[i]);
            scols_line_set_data(one, i, (breaks ? broken(text, room) : text).c_str());
        }
    }
    char* text = nullptr;
    if (scols_print_table_to_string(holder.table, &text) == 0 && text != nullptr) {
        std::string_view printed(text);
        data(printed);
        if (!printed.empty() && printed.back() != '\n') data("\n");
    }
    std::free(text);
}

}  // namespace holdfast::ctl
