// Little-endian integers and length-prefixed texts in a string, written and read back with every bound checked. For the
// records on disk; not a format for the network.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::wire {

static_assert(std::endian::native == std::endian::little, "records are written as the machine has them");

class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}
    void u8(std::uint8_t v) { raw(&v, sizeof v); }
    void u16(std::uint16_t v) { raw(&v, sizeof v); }
    void u32(std::uint32_t v) { raw(&v, sizeof v); }
    void u64(std::uint64_t v) { raw(&v, sizeof v); }
    void i64(std::int64_t v) { raw(&v, sizeof v); }
    void f64(double v) { raw(&v, sizeof v); }
    void optional_f64(std::optional<double> v) {
        u8(v.has_value());
        f64(v.value_or(0));
    }
    void optional_i64(std::optional<std::int64_t> v) {
        u8(v.has_value());
        i64(v.value_or(0));
    }
    void text(std::string_view t) { // 32-bit length, so that no two lists of texts look alike
        u32(static_cast<std::uint32_t>(t.size()));
        out_.append(t);
    }
    void raw(const void* p, std::size_t n) { out_.append(static_cast<const char*>(p), n); }

  private:
    std::string& out_;
};

// Once something was missing every later read gives zero, and ok() is false.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : left_(bytes) {}
    std::uint8_t u8() { return take<std::uint8_t>(); }
    std::uint16_t u16() { return take<std::uint16_t>(); }
    std::uint32_t u32() { return take<std::uint32_t>(); }
    std::uint64_t u64() { return take<std::uint64_t>(); }
    std::int64_t i64() { return take<std::int64_t>(); }
    double f64() { return take<double>(); }
    std::optional<double> optional_f64() {
        const bool there = u8() != 0;
        const double v = f64();
        return there ? std::optional(v) : std::nullopt;
    }
    std::optional<std::int64_t> optional_i64() {
        const bool there = u8() != 0;
        const std::int64_t v = i64();
        return there ? std::optional(v) : std::nullopt;
    }
    std::string_view text(std::size_t max) {
        const std::size_t n = u32();
        if (n > max) ok_ = false;
        return bytes(n);
    }
    std::string_view bytes(std::size_t n) {
        if (!ok_ || n > left_.size()) {
            ok_ = false;
            return {};
        }
        const std::string_view out = left_.substr(0, n);
        left_.remove_prefix(n);
        return out;
    }
    bool ok() const { return ok_; }
    bool done() const { return ok_ && left_.empty(); }

  private:
    template <typename T>
    T take() {
        T v{};
        const std::string_view b = bytes(sizeof v);
        if (!b.empty()) std::memcpy(&v, b.data(), sizeof v);
        return v;
    }
    std::string_view left_;
    bool ok_ = true;
};

} // namespace holdfast::wire
