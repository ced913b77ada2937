// HTTP/1.1 heads written into a string that the caller reuses. Content-Length and Connection are always explicit, so
// that nothing is left to guess. A value with CR, LF or NUL, or a name that is no token, drops its field: what came
// from outside can never add a line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "edge/base/time.h"

namespace holdfast {

struct HeaderField {
    std::string_view name;
    std::string_view value;
};

std::string_view reason_phrase(int status);  // "OK", …; "Unknown" for others

// IMF-fixdate (RFC 9110 §5.6.7), formatted once a second; the view lives until the next call.
class HttpDate {
  public:
    std::string_view text(WallTime now);

  private:
    std::int64_t second_ = INT64_MIN;
    char text_[32] = {};
    std::size_t size_ = 0;
};

struct ResponseSpec {
    int status = 200;
    std::string_view content_type;  // empty: no such field
    std::uint64_t content_length = 0;
    bool keep_alive = true;
    bool streamed = false;  // no Content-Length: the end of the connection ends the body; needs keep_alive false
};

// Status line, Date, Content-Type, Content-Length (not for 204), Connection; then append_field()s; then end_head().
void begin_response(std::string& out, const ResponseSpec& spec, std::string_view date);
struct RequestSpec {
    std::string_view method;
    std::string_view target;  // origin-form
    std::string_view host;
    std::string_view content_type;     // empty: no such field
    std::uint64_t content_length = 0;  // written when not zero or the method is POST, PUT or PATCH
    bool keep_alive = true;
};
// Requires: method, target and host hold no CR, LF, NUL or space.
void begin_request(std::string& out, const RequestSpec& spec);
// False, and nothing written, when the name or the value must not be sent.
bool append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);
inline void end_head(std::string& out) {
    out += "\r\n";
}

// All of it at once.
void append_response_head(std::string& out, const ResponseSpec& spec, std::string_view date,
                          std::initializer_list<HeaderField> fields = {});
void append_request_head(std::string& out, const RequestSpec& spec, std::initializer_list<HeaderField> fields = {});

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace holdfast
