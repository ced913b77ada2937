// The few bytes that pure state needs to survive a restart: little-endian integers and counted texts behind a version
// byte. Reading is strict; a Reader that has failed stays failed, so a decoder checks once at the end.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "policy/stamp.h"

namespace holdfast::pack {

static_assert(std::endian::native == std::endian::little, "integers are stored as they lie in memory");

template <typename T>
void put(std::string& out, T value) {
    static_assert(std::is_integral_v<T>);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof value);
}
// Requires: text.size() < 65536.
inline void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint16_t>(text.size()));
    out += text;
}
inline void put_stamp(std::string& out, const Stamp& at) {
    put(out, static_cast<std::int64_t>(at.wall.time_since_epoch().count()));
    put(out, static_cast<std::int64_t>(at.mono.time_since_epoch().count()));
    put(out, at.boot);
}

class Reader {
  public:
    explicit Reader(std::string_view bytes) : left_(bytes) {}
    template <typename T>
    T get() {
        T value{};
        if (left_.size() < sizeof value) {
            good_ = false;
            return value;
        }
        std::memcpy(&value, left_.data(), sizeof value);
        left_.remove_prefix(sizeof value);
        return value;
    }
    std::string text() {
        const std::size_t size = get<std::uint16_t>();
        if (!good_ || left_.size() < size) {
            good_ = false;
            return {};
        }
        std::string out(left_.substr(0, size));
        left_.remove_prefix(size);
        return out;
    }
    Stamp stamp() {
        Stamp out;
        out.wall = WallTime(Nanos(get<std::int64_t>()));
        out.mono = MonoTime(Nanos(get<std::int64_t>()));
        out.boot = get<std::uint64_t>();
        // A moment before either clock's zero was never written; it would only make later sums overflow.
        if (out.wall.time_since_epoch() < Nanos{0} || out.mono.time_since_epoch() < Nanos{0}) good_ = false;
        return out;
    }
    // A length of time of at most `max`, never negative.
    Nanos span(Nanos max) {
        const Nanos out(get<std::int64_t>());
        if (out < Nanos{0} || out > max) good_ = false;
        return out;
    }
    bool finished() const { return good_ && left_.empty(); }

  private:
    std::string_view left_;
    bool good_ = true;
};

} // namespace holdfast::pack
