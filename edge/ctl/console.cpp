#include "edge/ctl/console.h"

#include <fmt/format.h>
#include <libsmartcols/libsmartcols.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

}  // namespace

std::string clean(std::string_view text) {
    if (!is_utf8(text)) {
        std::string out;
        for (const char c : text)
            out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f ? '?' : c;
        return out;
    }
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F are controls of eight-bit terminals.
        const bool c1 = byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) ++i;
        if (text[i] == '\n' || text[i] == '\t')
            out += ' ';
        else
            out += byte < 0x20 || byte == 0x7f || c1 ? '?' : text[i];
    }
    return out;
}

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
    std::fwrite(text.data(), 1, text.size(), out_);
}
void Console::line(std::string_view text) {
    data(clean(text) + "\n");
}
void Console::painted(Paint paint, std::string_view text) {
    if (!options_.colour || paint == Paint::plain) return line(text);
    data(fmt::format("{}{}\x1b[0m\n", code_of(paint), clean(text)));
}
void Console::complain(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), err_);
    if (text.empty() || text.back() != '\n') std::fputc('\n', err_);
}
void Console::clear() {
    if (options_.terminal) data("\x1b[H\x1b[2J");
}
bool Console::flush() {
    return std::fflush(out_) == 0 && std::ferror(out_) == 0;
}

void Console::table(const std::vector<std::string>& heads, const std::vector<std::vector<std::string>>& rows) {
    TableHolder holder;
    if (holder.table == nullptr) return;
    scols_table_enable_colors(holder.table, 0);
    scols_table_set_termforce(holder.table, options_.width > 0 ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
    if (options_.width > 0) scols_table_set_termwidth(holder.table, options_.width);
    for (std::size_t i = 0; i < heads.size(); ++i)
        scols_table_new_column(holder.table, heads[i].c_str(), 0, i + 1 == heads.size() ? SCOLS_FL_TRUNC : 0);
    for (const auto& row : rows) {
        libscols_line* one = scols_table_new_line(holder.table, nullptr);
        for (std::size_t i = 0; one != nullptr && i < heads.size() && i < row.size(); ++i)
            scols_line_set_data(one, i, clean(row[i]).c_str());
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
