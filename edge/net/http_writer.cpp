#include "edge/net/http_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "edge/base/word_scan.h"

namespace holdfast {
namespace {

bool is_clean_value(std::string_view value) {
    if (word_scan::any(value, word_scan::control) == 0) return true;
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == 0x7f || (byte < 0x20 && c != '\t')) return false;
    }
    return true;
}

bool is_clean_word(std::string_view word) {
    for (const char c : word)
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) return false;
    return !word.empty();
}

void append_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits;
    const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void append_plain(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 421:
            return "Misdirected Request";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Unknown";
    }
}

std::string_view HttpDate::text(WallTime now) {
    const std::int64_t second = unix_seconds(now);
    if (second == second_) return {text_, size_};
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto when = static_cast<std::time_t>(second);
    std::tm t{};
    gmtime_r(&when, &t);
    const auto made =
        fmt::format_to_n(text_, sizeof text_, "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[t.tm_wday], t.tm_mday,
                         kMonths[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    second_ = second;
    size_ = std::min(made.size, sizeof text_);
    return {text_, size_};
}

void begin_response(std::string& out, const ResponseSpec& spec, std::string_view date) {
    out += "HTTP/1.1 ";
    append_number(out, static_cast<std::uint64_t>(spec.status));
    out += ' ';
    out += reason_phrase(spec.status);
    out += "\r\nDate: ";
    out += date;
    if (!spec.content_type.empty()) {
        out += "\r\nContent-Type: ";
        out += spec.content_type;
    }
    if (spec.status != 204 && !spec.streamed) {
        out += "\r\nContent-Length: ";
        append_number(out, spec.content_length);
    }
    out += spec.keep_alive ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n";
}

void begin_request(std::string& out, const RequestSpec& spec) {
    HF_CHECK(is_http_token(spec.method) && is_clean_word(spec.target) && is_clean_word(spec.host));
    out.append(spec.method).append(" ").append(spec.target).append(" HTTP/1.1\r\n");
    append_plain(out, "Host", spec.host);
    if (!spec.content_type.empty()) append_plain(out, "Content-Type", spec.content_type);
    if (spec.content_length > 0 || spec.method == "POST" || spec.method == "PUT" || spec.method == "PATCH")
        append_field(out, "Content-Length", spec.content_length);
    out += spec.keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
}

bool append_field(std::string& out, std::string_view name, std::string_view value) {
    if (!is_http_token(name) || !is_clean_value(value)) return false;
    append_plain(out, name, value);
    return true;
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
    out.append(name).append(": ");
    append_number(out, value);
    out += "\r\n";
}

void append_response_head(std::string& out, const ResponseSpec& spec, std::string_view date,
                          std::initializer_list<HeaderField> fields) {
    begin_response(out, spec, date);
    for (const HeaderField& field : fields) append_field(out, field.name, field.value);
    end_head(out);
}

void append_request_head(std::string& out, const RequestSpec& spec, std::initializer_list<HeaderField> fields) {
    begin_request(out, spec);
    for (const HeaderField& field : fields) append_field(out, field.name, field.value);
    end_head(out);
}

}  // namespace holdfast
