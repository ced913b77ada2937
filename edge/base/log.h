// The operations log: one sentence a line for people, on standard error (journald adds the time) or a file, behind
// spdlog with synchronous single-threaded sinks. Never a subject, a secret, a signature or raw bytes: escape() what
// came from outside. Repeated trouble goes through a LogLimit, so that a flood is a counter and not a disk full of
// lines.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "edge/base/time.h"

namespace holdfast::log {

enum class Level { debug, info, warn, error };

void set_level(Level level);  // info at start
bool enabled(Level level);
// Where lines go from now on; standard error at start. False, and nothing changed, when the file cannot be opened.
bool to_file(const std::string& path);
// Entries of journald with fields (journal_sink.h), and back to standard error. to_journal is false, and nothing
// changed, when nobody listens there.
bool to_journal(const std::string& socket);
void to_stderr();
// After a rotation. False: the file cannot be opened, and lines go to standard error until a later call can.
bool reopen();
void flush();   // call on a timer and before exit; errors flush by themselves
void write(Level level, std::string_view line);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::warn)) write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::error)) write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

// Bytes from outside, made safe for a line: printable ASCII stays, the rest is \xNN; cut at `max` input bytes.
std::string escape(std::string_view bytes, std::size_t max = 256);

// Lets `burst` lines pass each `per`; afterwards counts. Ask allow(), and print suppressed() with the next line.
class LogLimit {
  public:
    explicit LogLimit(unsigned burst = 5, Nanos per = 10s) : burst_(burst), per_(per) {}
    bool allow(MonoTime now);
    std::uint64_t take_suppressed();  // lines held back since the last call
    bool over(MonoTime now) const { return now - window_ >= per_; }  // no line for a while: one may tell of them

  private:
    unsigned burst_;
    Nanos per_;
    MonoTime window_{};
    unsigned used_ = 0;
    std::uint64_t suppressed_ = 0;
};

}  // namespace holdfast::log
