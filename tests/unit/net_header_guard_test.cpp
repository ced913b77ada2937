// Every byte at every place of a line, for the guard that takes eight of them a step.
#include <catch2/catch.hpp>

#include <string>

#include "edge/net/header_guard.h"

using namespace holdfast;

namespace {

constexpr HeadLimits kLimits{8192, 8256, 16384, 100};

struct Verdict {
    HeadScanner::Step step = HeadScanner::Step::need_more;
    int status = 0;
    RejectReason reason = RejectReason::none;
    std::string detail, text;
    bool operator==(const Verdict&) const = default;
};

Verdict scan(std::string_view bytes, std::size_t first_piece, std::size_t later_pieces,
             const HeadLimits& limits = kLimits) {
    HeadScanner scanner(true);
    Verdict out;
    Reject reject;
    std::size_t piece = first_piece;
    while (!bytes.empty() && out.step == HeadScanner::Step::need_more) {
        std::string_view input = bytes.substr(0, piece);
        bytes.remove_prefix(input.size());
        out.step = scanner.feed(input, out.text, limits, reject);
        piece = later_pieces;
    }
    out.status = reject.status;
    out.reason = reject.reason;
    out.detail = reject.detail;
    return out;
}

// The same however it is cut: byte by byte, and once at the place in doubt and beside it.
Verdict checked(const std::string& bytes, std::size_t place) {
    const Verdict whole = scan(bytes, bytes.size(), 1);
    const Verdict single = scan(bytes, 1, 1);
    if (!(whole == single)) FAIL("cut into bytes it is judged differently: " << bytes);
    for (const std::size_t cut : {place, place + 1, place + 2})
        if (!(scan(bytes, cut, bytes.size()) == whole)) FAIL("cut in two it is judged differently: " << bytes);
    return whole;
}

}  // namespace

TEST_CASE("header guard: controls are refused at every place of a field value, all else passes") {
    const std::string before = "GET / HTTP/1.1\r\nX:";
    for (std::size_t size = 1; size <= 20; ++size) {
        for (std::size_t place = 0; place < size; ++place) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string value(size, 'v');
                value[place] = static_cast<char>(byte);
                const std::string head = before + value + "\r\n\r\n";
                const Verdict v = checked(head, before.size() + place);
                const bool bad = byte == 0x7f || (byte < 0x20 && byte != '\t');
                if (bad ? v.status != 400 || v.reason != RejectReason::syntax
                        : v.step != HeadScanner::Step::done || v.text != head)
                    FAIL("byte " << byte << " at " << place << " of " << size);
                if (bad) {
                    // A carriage return is only found out by what follows it.
                    const std::size_t kept = before.size() + place + (byte == '\r' ? 1 : 0);
                    if (v.text.size() != kept) FAIL("byte " << byte << " at " << place << ": kept " << v.text.size());
                }
            }
        }
    }
    SUCCEED();
}

TEST_CASE("header guard: the request line takes neither tabs nor bytes beyond ASCII") {
    for (std::size_t size = 1; size <= 20; ++size) {
        for (std::size_t place = 0; place < size; ++place) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string target = "/" + std::string(size, 't');
                target[place + 1] = static_cast<char>(byte);
                const Verdict v = checked("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n", 5 + place);
                const bool line_end = byte == '\r' || byte == '\n';
                const bool control = byte <= 0x20 || byte >= 0x7f;
                const bool refused = control || std::string_view("\"#<>\\^`{|}%").find(static_cast<char>(byte)) !=
                                                    std::string_view::npos;
                // A slash at the end of a segment and a dot for a whole one are rules of their own.
                const bool path_rule = (byte == '/' && place == 0) || (byte == '.' && size == 1);
                if (path_rule) continue;
                if (refused != (v.status == 400)) FAIL("byte " << byte << " at " << place << " of " << size);
                if (control && v.reason != (line_end ? RejectReason::syntax : RejectReason::request_line))
                    FAIL("byte " << byte << " at " << place << " of " << size << ": " << v.detail);
            }
        }
    }
    SUCCEED();
}

TEST_CASE("header guard: a field name is tokens up to its colon") {
    const std::string_view kTokens = "!#$%&'*+-.^_`|~";
    for (std::size_t place = 0; place < 3; ++place) {
        for (int byte = 0; byte < 256; ++byte) {
            std::string name = "abc";
            name[place] = static_cast<char>(byte);
            Reject reject;
            const char c = static_cast<char>(byte);
            const bool token = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                               kTokens.find(c) != std::string_view::npos;
            CHECK(check_field_line(name + ": v", reject) == (token || (c == ':' && place > 0)));
        }
    }
    Reject reject;
    for (const char* bad : {":", ": v", "name", "na me: v", "name : v", " name: v", "\tname: v"})
        CHECK_FALSE(check_field_line(bad, reject));
    CHECK(check_field_line("name:", reject));
}

TEST_CASE("header guard: a head at hand whole is judged as one that comes in pieces, at every limit") {
    const std::string head = "GET /a HTTP/1.1\r\nHost: x\r\nAccept: y\r\n\r\n";
    const std::size_t line = 17, fields = head.size() - line - 2;
    std::size_t fine = 0;
    for (std::size_t first = line - 1; first <= line + 1; ++first)
        for (std::size_t bytes = fields - 12; bytes <= fields + 1; ++bytes)
            for (std::size_t count = 0; count <= 3; ++count)
                for (std::size_t target = 1; target <= 3; ++target) {
                    const HeadLimits limits{target, first, bytes, count};
                    const Verdict whole = scan(head, head.size(), 1, limits);
                    if (!(scan(head, 1, 1, limits) == whole)) FAIL("differs in pieces: " << first << ' ' << bytes);
                    const bool fits = target >= 2 && first >= line && bytes >= fields && count >= 2;
                    if ((whole.step == HeadScanner::Step::done) != fits) FAIL("wrong: " << first << ' ' << bytes);
                    fine += fits;
                }
    CHECK(fine > 0);
    // What follows the head is left alone, and so is what came before all of it is there.
    HeadScanner scanner(true);
    Reject reject;
    std::string text;
    const std::string more = head + "body\r\n";
    std::string_view input = more;
    CHECK(scanner.feed(input, text, kLimits, reject) == HeadScanner::Step::done);
    CHECK(text == head);
    CHECK(input == "body\r\n");
    CHECK(scanner.first_line().target_size == 2);
}

TEST_CASE("header guard: limits that a reload makes smaller than what has come end the head at the next byte") {
    for (const bool in_first_line : {true, false}) {
        HeadScanner scanner(true);
        Reject reject;
        std::string text;
        const std::string begun = (in_first_line ? "GET /" : "GET / HTTP/1.1\r\nX: ") + std::string(5000, 'x');
        std::string_view input = begun;
        REQUIRE(scanner.feed(input, text, kLimits, reject) == HeadScanner::Step::need_more);
        input = "x";
        CHECK(scanner.feed(input, text, {1024, 1024, 1024, 100}, reject) == HeadScanner::Step::error);
        CHECK(reject.status == (in_first_line ? 414 : 431));
    }
}
