// What stands in front of llhttp: refuses the heads that it lets through (obs-fold, an empty name, repeated or doubtful
// framing, bad hosts and targets) and everything beyond a limit, as soon as the byte that is too much arrives. It never
// accepts on its own: llhttp parses the same bytes afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "edge/net/http_message.h"
#include "edge/net/http_parser.h"

namespace holdfast {

struct HeadLimits {
    std::size_t target_bytes = 0;  // of a request; a response's first_line_bytes bound its status line
    std::size_t first_line_bytes = 0;
    std::size_t header_bytes = 0;
    std::size_t fields = 0;
};

// Collects one head into a string, byte rules checked on the way. The answer does not depend on how the input is cut.
class HeadScanner {
  public:
    enum class Step { need_more, done, error };
    // What the first line said, as offsets into the text.
    struct FirstLine {
        std::uint32_t target_at = 0, target_size = 0;
        int minor = 1;
        int status = 0;
    };
    explicit HeadScanner(bool request) : request_(request) {}
    // Moves bytes from the front of `input` to the end of `text`, up to and including the empty line.
    Step feed(std::string_view& input, std::string& text, const HeadLimits& limits, Reject& reject);
    void reset();
    bool untouched() const { return !begun_; }
    const FirstLine& first_line() const { return line_; }

  private:
    bool take_whole(std::string_view& input, std::string& text, const HeadLimits& limits);
    std::size_t scan(std::string_view segment, Reject& reject);
    bool bad_byte(unsigned char c) const;
    bool end_line(std::string& text, const HeadLimits& limits, Reject& reject);
    Reject over_limit(const std::string& text) const;

    bool request_;
    bool begun_ = false;          // a byte of this message was seen
    bool leading_empty_ = false;  // the one empty line before a request that RFC 9112 §2.2 asks to skip
    bool in_first_line_ = true;
    bool after_cr_ = false;
    bool done_ = false;
    std::uint32_t line_at_ = 0;  // where the current line begins in the text
    std::uint32_t fields_at_ = 0;
    std::uint32_t fields_ = 0;
    FirstLine line_;
};

// A field line without its end: RFC 9112 §5, no obs-fold.
bool check_field_line(std::string_view line, Reject& reject);
// The request line without its end.
bool check_request_line(std::string_view line, std::size_t target_bytes, HeadScanner::FirstLine& out, Reject& reject);
bool check_status_line(std::string_view line, HeadScanner::FirstLine& out, Reject& reject);
// The target in all its forms but the authority, which waits for the Host.
bool check_target(std::string_view target, Reject& reject);

// The fields of a whole head, and what they mean for framing. Fill everything of `head` but method, target and headers
// (already there).
bool check_request_fields(RequestHead& head, std::uint64_t body_bytes_max, Reject& reject);
bool check_response_fields(ResponseHead& head, bool to_head, std::uint64_t body_bytes_max, Reject& reject);

// A trailer field that would change the message after the fact. A request's are dropped, all of them; these are what
// somebody may have taken for part of the head.
bool is_forbidden_trailer(std::string_view name, bool of_request);

}  // namespace holdfast
