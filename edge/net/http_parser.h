// HTTP/1.1 messages out of bytes, pulled: the caller holds the input, asks for the next event, and handles it before
// more is read, so that the head comes before the body and one request before the next. llhttp (strict) parses; a
// HeaderGuard in front refuses what it lets through; every limit is named here. Not for HTTP/2.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "edge/net/http_message.h"

namespace holdfast {

struct HttpEvent {
    enum class Kind {
        need_more,  // all input is used up
        head,       // head() is valid
        body,       // `body` holds the next decoded bytes of the body: never empty, a view into the input
        complete,   // the message has ended; what is left of the input belongs to the next one
        error,      // reject() says why; every further call answers the same
    };
    Kind kind;
    std::string_view body{};
};

// Why a message was refused: a closed set, for metrics and logs.
enum class RejectReason : std::uint8_t {
    none,
    framing,       // Content-Length, Transfer-Encoding, chunks, trailers
    syntax,        // line ends, controls, field names, folded lines
    request_line,  // method, spaces, garbage
    target,        // not origin-form, bad path
    host,          // missing, repeated, malformed, other than an absolute target's
    version,       // not HTTP/1.0 or 1.1
    headers_too_large,
    body_too_large,  // also chunk extensions and trailers
    uri_too_long,
    expect,
    upgrade,    // a tunnel was asked for: CONNECT, or a 101 answer
    status,     // a response's status line, or too many interim responses
    truncated,  // end of the connection inside of a message
};
inline constexpr int kRejectReasons = 14;
std::string_view name(RejectReason reason);  // "framing", "syntax", …

struct Reject {
    int status = 0;  // 400, 405, 413, 414, 417, 431, 501 or 505 for a request; 502 for a response
    RejectReason reason = RejectReason::none;
    std::string_view detail;  // a sentence without any byte of the message
};
// False, for a check to return.
inline bool refuse(Reject& reject, int status, RejectReason reason, std::string_view detail) {
    reject = {status, reason, detail};
    return false;
}

struct RequestLimits {
    std::size_t target_bytes = 8 * 1024;   // of the request target: above it 414
    std::size_t header_bytes = 16 * 1024;  // all field lines with their ends: above it 431
    std::size_t fields = 100;
    std::uint64_t body_bytes = 4u << 20;       // above it 413: declared at the head, chunked at the limit
    std::size_t chunk_extension_bytes = 4096;  // in one body: 413
    std::size_t trailer_bytes = 4096;          // in one body: 413
};

struct ResponseLimits {
    std::size_t line_bytes = 8 * 1024;
    std::size_t header_bytes = 32 * 1024;
    std::size_t fields = 200;
    std::uint64_t body_bytes = 1u << 20;
    std::size_t chunk_extension_bytes = 4096;
    std::size_t trailer_bytes = 4096;
    int interim = 8;  // 1xx answers before the final one
};

class RequestParser {
  public:
    // Requires: `limits` outlives the parser.
    explicit RequestParser(const RequestLimits& limits);
    ~RequestParser();
    RequestParser(RequestParser&&) noexcept;
    // Takes bytes off the front of `input` and answers one event. After `complete` the next call with input begins a
    // new message, and the old head() is gone.
    HttpEvent next(std::string_view& input);
    const RequestHead& head() const;  // Requires: its event came and no next message has begun
    const Reject& reject() const;     // Requires: an error event came
    // Whether the message that is being read, or was read last, asks by HEAD: then no answer to it has a body, one to a
    // head that is refused or never ends included (RFC 9110 §9.3.2).
    bool asks_head() const;
    bool idle() const;                // between messages: not one byte of the next has been seen
    void release();  // gives all its memory back, head() too; the next input begins anew. Requires: idle()

  private:
    struct State;
    std::unique_ptr<State> state_;  // null while nothing is being parsed: an idle connection holds no parser
    const RequestLimits* limits_;
};

class ResponseParser {
  public:
    explicit ResponseParser(const ResponseLimits& limits);
    ~ResponseParser();
    ResponseParser(ResponseParser&&) noexcept;
    // To be called before each response: whether it answers a HEAD (then it has no body), and whether a 2xx body is
    // streamed away and so not limited.
    void expect(bool to_head, bool unlimited = false);
    // Interim responses (1xx) are skipped. A body that ends with the connection is only taken from HTTP/1.0 or with
    // Connection: close, and only finish() completes it.
    HttpEvent next(std::string_view& input);
    HttpEvent finish();  // the connection ended: `complete` or `error`
    const ResponseHead& head() const;
    const Reject& reject() const;
    bool idle() const;  // no byte of the expected response has been seen, or none is expected
    void release();

  private:
    struct State;
    std::unique_ptr<State> state_;
    const ResponseLimits* limits_;
};

}  // namespace holdfast
