// The two clocks, as types that do not mix. MonoTime is for deadlines, ages and waits; WallTime is for signatures,
// records and people. Both are read once a loop turn and handed around as Now.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

using Nanos = std::chrono::nanoseconds;
using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;

// CLOCK_BOOTTIME: never goes back, and goes on while the machine is suspended (CLOCK_MONOTONIC does not). Its zero is
// the boot of the machine, so values of different boots must not be compared; see boot_id().
struct MonoClock {
    using duration = Nanos;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonoClock>;
    static constexpr bool is_steady = true;
    static time_point read();  // a system call through the vDSO; code on the loop takes Now instead
};

// CLOCK_REALTIME, zero at the Unix epoch. May jump either way.
struct WallClock {
    using duration = Nanos;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<WallClock>;
    static constexpr bool is_steady = false;
    static time_point read();
};

using MonoTime = MonoClock::time_point;
using WallTime = WallClock::time_point;

struct Now {
    MonoTime mono;
    WallTime wall;
    static Now read() { return {MonoClock::read(), WallClock::read()}; }
};

// Seconds with their fraction, as what is shown or exported has them.
constexpr double in_seconds(Nanos d) {
    return std::chrono::duration<double>(d).count();
}

// Seconds since the Unix epoch, rounded down.
inline std::int64_t unix_seconds(WallTime t) {
    return std::chrono::floor<Seconds>(t.time_since_epoch()).count();
}
inline WallTime from_unix_seconds(std::int64_t s) {
    return WallTime(Seconds(s));
}

// RFC 3339 in UTC with milliseconds, e.g. 2026-01-02T03:04:05.678Z: always 24 bytes for years 0001 to 9999.
void append_rfc3339(std::string& out, WallTime t);
std::string rfc3339(WallTime t);
// The same form back, fraction optional; nothing when malformed or outside of the years 1678 to 2261.
std::optional<WallTime> parse_rfc3339(std::string_view text);

// A number that differs between boots of the machine (from the kernel's boot id), so that MonoTimes kept on disk are
// compared only within one boot. Zero when the kernel does not tell: then nothing may be assumed.
std::uint64_t boot_id();

// Literals of the configuration: "250ms", "5s", "15m", "6h", "1d". Nothing for any other text or on overflow.
std::optional<Nanos> parse_duration(std::string_view text);
std::string format_duration(
    Nanos d);  // the shortest literal that parses back to d (ns precision shows as e.g. "1500us")

// Of two clocks or a timestamp and a clock: "900 s ahead of" or "900 s behind" the one that is named next.
std::string apart_text(Seconds apart);

}  // namespace holdfast
