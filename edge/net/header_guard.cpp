#include "edge/net/header_guard.h"

#include <algorithm>

#include "edge/base/byte_class.h"
#include "edge/base/word_scan.h"

namespace holdfast {
namespace {

constexpr std::size_t kMethodBytesMax = 32;

// Whether `text` holds no control character at all (a tab neither) and, where `ascii` asks for it, no byte of 0x80 and
// above.
bool is_plain(std::string_view text, bool ascii) {
    const std::uint64_t high = ascii ? word_scan::kHighs : 0;
    return word_scan::any(text, [high](std::uint64_t word) { return word_scan::control(word) | (word & high); }) == 0;
}

bool is_version(std::string_view v) {
    return v.size() == 8 && v.substr(0, 5) == "HTTP/" && v[5] >= '0' && v[5] <= '9' && v[6] == '.' && v[7] >= '0' &&
           v[7] <= '9';
}

}  // namespace

void HeadScanner::reset() {
    *this = HeadScanner(request_);
}

bool HeadScanner::bad_byte(unsigned char c) const {
    if (c == 0x7f || (c < 0x20 && c != '\t')) return true;
    return in_first_line_ && request_ && (c == '\t' || c >= 0x80);
}

// How many bytes of the segment (at most one line) are fine before one is not; that one's reason is in `reject`.
std::size_t HeadScanner::scan(std::string_view segment, Reject& reject) {
    if (!after_cr_) {
        // A line, or a piece of one without its end, that holds nothing to look at byte by byte.
        const std::string_view line = segment.ends_with("\r\n") ? segment.substr(0, segment.size() - 2) : segment;
        if (is_plain(line, in_first_line_ && request_)) return segment.size();
    }
    for (std::size_t i = 0; i < segment.size(); ++i) {
        const auto c = static_cast<unsigned char>(segment[i]);
        if (after_cr_ != (c == '\n')) {
            refuse(reject, 400, RejectReason::syntax, "a line must end with CR LF, and CR and LF stand nowhere else");
            return i;
        }
        after_cr_ = c == '\r';
        if (c != '\r' && c != '\n' && bad_byte(c)) {
            const bool first = in_first_line_ && request_;
            refuse(
                reject, 400, first ? RejectReason::request_line : RejectReason::syntax,
                first ? "the request line holds a byte that it must not" : "a header line holds a control character");
            return i;
        }
    }
    return segment.size();
}

Reject HeadScanner::over_limit(const std::string& text) const {
    if (!in_first_line_) return {431, RejectReason::headers_too_large, "the header fields are larger than allowed"};
    if (!request_) return {502, RejectReason::status, "the status line is longer than allowed"};
    if (text.find(' ', line_at_) == std::string::npos)
        return {400, RejectReason::request_line, "this is not a request line"};
    return {414, RejectReason::uri_too_long, "the request target is longer than allowed"};
}

// The usual case: the whole head is at hand, and no byte of it needs a closer look. False: nothing was done, and
// feed() goes through it line by line, which alone says what is wrong.
bool HeadScanner::take_whole(std::string_view& input, std::string& text, const HeadLimits& limits) {
    Reject why;
    FirstLine first;
    std::size_t line_at = 0, fields_at = 0, fields = 0;
    for (;;) {
        const std::size_t end = word_scan::find_control(input, line_at);
        if (input.size() - end < 2 || input[end] != '\r' || input[end + 1] != '\n') return false;
        const std::string_view line = input.substr(line_at, end - line_at);
        line_at = end + 2;
        if (fields_at == 0) {
            if (line_at > limits.first_line_bytes || (request_ && !is_plain(line, true))) return false;
            if (!(request_ ? check_request_line(line, limits.target_bytes, first, why)
                           : check_status_line(line, first, why)))
                return false;
            fields_at = line_at;
        } else if (line.empty()) {
            break;
        } else if (++fields > limits.fields || line_at - fields_at > limits.header_bytes ||
                   !check_field_line(line, why)) {
            return false;
        }
    }
    text.assign(input.substr(0, line_at));
    input.remove_prefix(line_at);
    line_ = first;
    begun_ = done_ = true;
    in_first_line_ = false;
    return true;
}

HeadScanner::Step HeadScanner::feed(std::string_view& input, std::string& text, const HeadLimits& limits,
                                    Reject& reject) {
    if (!begun_ && text.empty() && take_whole(input, text, limits)) return Step::done;
    while (!input.empty() && !done_) {
        begun_ = true;
        const std::size_t line_size = text.size() - line_at_;
        const std::size_t end = input.find('\n');
        std::string_view segment = input.substr(0, end == std::string_view::npos ? end : end + 1);
        // The empty line that ends the head is not counted, hence the two.
        // A reload may have made the limits smaller than what has come.
        const std::size_t most = in_first_line_ ? limits.first_line_bytes : limits.header_bytes + 2;
        const std::size_t room = most - std::min(most, in_first_line_ ? line_size : text.size() - fields_at_);
        const bool over = segment.size() > room;
        if (over) segment = segment.substr(0, room);
        Reject why;
        const std::size_t fine = scan(segment, why);
        const bool new_field =
            !in_first_line_ && line_size == 0 && !input.empty() && input.front() != '\r' && input.front() != '\n';
        if (new_field && (fine > 0 || why.status == 0) && ++fields_ > limits.fields) {
            reject = {431, RejectReason::headers_too_large, "there are more header fields than allowed"};
            return Step::error;
        }
        text.append(segment.substr(0, fine));
        if (fine < segment.size()) {
            reject = why;
            return Step::error;
        }
        if (over) {
            reject = over_limit(text);
            return Step::error;
        }
        input.remove_prefix(segment.size());
        if (end == std::string_view::npos) return Step::need_more;
        if (!end_line(text, limits, reject)) return Step::error;
    }
    return done_ ? Step::done : Step::need_more;
}

// A line with its CR LF stands at the end of the text.
bool HeadScanner::end_line(std::string& text, const HeadLimits& limits, Reject& reject) {
    after_cr_ = false;
    const std::string_view line = std::string_view(text).substr(line_at_, text.size() - line_at_ - 2);
    if (in_first_line_ && line.empty() && request_) {
        if (leading_empty_) return refuse(reject, 400, RejectReason::syntax, "empty lines before the request line");
        leading_empty_ = true;
        text.clear();
        return true;
    }
    if (in_first_line_) {
        if (request_ ? !check_request_line(line, limits.target_bytes, line_, reject)
                     : !check_status_line(line, line_, reject))
            return false;
        in_first_line_ = false;
        fields_at_ = static_cast<std::uint32_t>(text.size());
    } else if (line.empty()) {
        done_ = true;
    } else if (!check_field_line(line, reject)) {
        return false;
    } else if (text.size() - fields_at_ > limits.header_bytes) {
        reject = over_limit(text);
        return false;
    }
    line_at_ = static_cast<std::uint32_t>(text.size());
    return true;
}

bool check_field_line(std::string_view line, Reject& reject) {
    if (line.front() == ' ' || line.front() == '\t')
        return refuse(reject, 400, RejectReason::syntax, "a header line begins with white space");
    const std::size_t end = kTokenBytes.find_outside(line);
    if (end == 0 || end == line.size() || line[end] != ':')
        return refuse(reject, 400, RejectReason::syntax, "a header field has a malformed name");
    return true;
}

bool check_request_line(std::string_view line, std::size_t target_bytes, HeadScanner::FirstLine& out, Reject& reject) {
    const std::size_t a = line.find(' ');
    const std::size_t b = a == std::string_view::npos ? a : line.find(' ', a + 1);
    if (b == std::string_view::npos)
        return refuse(reject, 400, RejectReason::request_line, "the request line is not method, target and version");
    const std::string_view method = line.substr(0, a), target = line.substr(a + 1, b - a - 1),
                           version = line.substr(b + 1);
    const auto in_method = [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; };
    if (method.empty() || method.size() > kMethodBytesMax || !std::all_of(method.begin(), method.end(), in_method))
        return refuse(reject, 400, RejectReason::request_line, "the method is malformed");
    if (target.empty() || !is_version(version))
        return refuse(reject, 400, RejectReason::request_line, "the request line is not method, target and version");
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
        return refuse(reject, 505, RejectReason::version, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (method == "CONNECT") return refuse(reject, 405, RejectReason::upgrade, "CONNECT is not done here");
    if (target.size() > target_bytes)
        return refuse(reject, 414, RejectReason::uri_too_long, "the request target is longer than allowed");
    out.target_at = static_cast<std::uint32_t>(a + 1);
    out.target_size = static_cast<std::uint32_t>(target.size());
    out.minor = version.back() - '0';
    return check_target(target, reject);
}

bool check_status_line(std::string_view line, HeadScanner::FirstLine& out, Reject& reject) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool shaped = line.size() >= 12 && is_version(line.substr(0, 8)) && line[8] == ' ' && digit(line[9]) &&
                        digit(line[10]) && digit(line[11]) && (line.size() == 12 || line[12] == ' ');
    if (!shaped || line[9] < '1' || line[9] > '5')
        return refuse(reject, 502, RejectReason::status, "the status line is malformed");
    if (line[5] != '1' || line[7] > '1') return refuse(reject, 502, RejectReason::version, "the answer is not HTTP/1");
    out.minor = line[7] - '0';
    out.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return true;
}

}  // namespace holdfast
