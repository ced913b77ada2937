#include "edge/base/time.h"

#include <fmt/format.h>
#include <time.h>

#include <array>
#include <cstdio>
#include <cstring>

namespace holdfast {
namespace {

Nanos read_clock(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return Seconds(t.tv_sec) + Nanos(t.tv_nsec);
}

struct Unit {
    std::string_view name;
    Nanos one;
};
// Longest first, so that formatting picks the shortest literal.
constexpr std::array<Unit, 7> kUnits{{{"d", 24h},
                                      {"h", 1h},
                                      {"m", 1min},
                                      {"s", 1s},
                                      {"ms", 1ms},
                                      {"us", std::chrono::microseconds(1)},
                                      {"ns", Nanos(1)}}};

void put_digits(char* to, int n, unsigned value) {
    for (int i = n; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

bool digits(std::string_view text, std::size_t at, std::size_t n, int& out) {
    if (at + n > text.size()) return false;
    out = 0;
    for (std::size_t i = at; i < at + n; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        out = out * 10 + (text[i] - '0');
    }
    return true;
}

}  // namespace

MonoTime MonoClock::read() {
    return MonoTime(read_clock(CLOCK_BOOTTIME));
}
WallTime WallClock::read() {
    return WallTime(read_clock(CLOCK_REALTIME));
}

namespace {

// "2026-01-02" of days since 1970; the last one is remembered.
const char* date_text(std::chrono::days since) {
    struct Day {
        std::chrono::days since{0};
        char text[11] = "1970-01-01";
    };
    thread_local Day last;
    if (last.since == since) return last.text;
    const std::chrono::year_month_day date{std::chrono::sys_days(since)};
    put_digits(last.text, 4, static_cast<unsigned>(int(date.year())));
    put_digits(last.text + 5, 2, unsigned(date.month()));
    put_digits(last.text + 8, 2, unsigned(date.day()));
    last.since = since;
    return last.text;
}

}  // namespace

// By hand: the general formatter costs ten times as much, and each answer carries two of these.
void append_rfc3339(std::string& out, WallTime t) {
    const auto seconds = std::chrono::floor<Seconds>(t.time_since_epoch());
    const auto millis = static_cast<unsigned>((std::chrono::floor<Millis>(t.time_since_epoch()) - seconds).count());
    const auto days = std::chrono::floor<std::chrono::days>(seconds);
    const auto of_day = static_cast<unsigned>((seconds - days).count());
    char text[] = "0000-00-00T00:00:00.000Z";
    std::memcpy(text, date_text(days), 10);
    put_digits(text + 11, 2, of_day / 3600);
    put_digits(text + 14, 2, of_day / 60 % 60);
    put_digits(text + 17, 2, of_day % 60);
    put_digits(text + 20, 3, millis);
    out.append(text, sizeof text - 1);
}

std::string rfc3339(WallTime t) {
    std::string out;
    append_rfc3339(out, t);
    return out;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
    int year, month, day, hour, minute, second;
    const bool shape = digits(text, 0, 4, year) && digits(text, 5, 2, month) && digits(text, 8, 2, day) &&
                       digits(text, 11, 2, hour) && digits(text, 14, 2, minute) && digits(text, 17, 2, second) &&
                       text[4] == '-' && text[7] == '-' && text[10] == 'T' && text[13] == ':' && text[16] == ':';
    if (!shape || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    if (year < 1678 || year > 2261) return std::nullopt;  // what 64 bits of nanoseconds hold
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(unsigned(month)),
                                           std::chrono::day(unsigned(day))};
    if (!date.ok()) return std::nullopt;
    Nanos fraction{0};
    std::size_t at = 19;
    if (at < text.size() && text[at] == '.') {
        Nanos unit = 100ms;
        const std::size_t first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
            fraction += unit * (text[at] - '0');
        if (at == first) return std::nullopt;
    }
    if (at + 1 != text.size() || text[at] != 'Z') return std::nullopt;
    const auto days = std::chrono::sys_days(date).time_since_epoch();
    return WallTime(days + std::chrono::hours(hour) + std::chrono::minutes(minute) + Seconds(second) + fraction);
}

std::uint64_t boot_id() {
    static const std::uint64_t id = [] {
        std::uint64_t hash = 0;
        std::FILE* f = std::fopen("/proc/sys/kernel/random/boot_id", "re");
        if (f == nullptr) return hash;
        std::array<char, 64> text{};
        const std::size_t n = std::fread(text.data(), 1, text.size(), f);
        std::fclose(f);
        if (n == 0) return hash;
        hash = 14695981039346656037ull;  // FNV-1a, 64 bit
        for (std::size_t i = 0; i < n; ++i) hash = (hash ^ static_cast<unsigned char>(text[i])) * 1099511628211ull;
        return hash == 0 ? 1 : hash;
    }();
    return id;
}

std::optional<Nanos> parse_duration(std::string_view text) {
    std::int64_t number = 0;
    std::size_t at = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        if (at >= 15) return std::nullopt;
        number = number * 10 + (text[at] - '0');
    }
    if (at == 0) return std::nullopt;
    for (const Unit& unit : kUnits) {
        if (text.substr(at) != unit.name) continue;
        std::int64_t out;
        if (__builtin_mul_overflow(number, unit.one.count(), &out)) return std::nullopt;
        return Nanos(out);
    }
    return std::nullopt;
}

std::string format_duration(Nanos d) {
    if (d == Nanos(0)) return "0s";
    for (const Unit& unit : kUnits)
        if (d % unit.one == Nanos(0)) return fmt::format("{}{}", d / unit.one, unit.name);
    return fmt::format("{}ns", d.count());
}

std::string apart_text(Seconds apart) {
    return fmt::format("{} s {}", std::abs(apart.count()), apart < Seconds(0) ? "behind" : "ahead of");
}

}  // namespace holdfast
