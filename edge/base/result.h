// Expected failures. Result<T> is a value or an Error and may not be ignored. An Error says what kind of failure it is,
// whose it is, whether the request had already left (a retry is safe only when it had not, or carries its
// idempotency key), and a sentence for the log that names the culprit and never holds a secret or a subject.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace holdfast {

enum class Code {
    invalid,      // malformed input: the detail names the field
    outdated,     // not within its dates by the clock: time, or a clock set right, mends it
    unsupported,  // understood, but not done here
    too_large,    // beyond a named limit
    timeout,      // a deadline passed
    refused,      // no connection could be made
    handshake,    // connected, but no TLS session came of it
    untrusted,    // the same, since the peer's certificate does not hold
    closed,       // the peer went away
    cancelled,    // we gave it up ourselves
    throttled,    // the peer asked us to wait (429, or 503 with Retry-After)
    unavailable,  // the peer answered that it cannot (5xx)
    not_found,
    exists,
    denied,   // permission or policy
    full,     // a bounded thing is full, or the disk is
    corrupt,  // stored bytes that do not verify
    io,       // the operating system failed us
    internal,
};

// Whose failure: decides what counts for a circuit (never client's or our own) and what the answer says.
enum class Origin { client, local, upstream, store };

struct Error {
    Code code = Code::internal;
    Origin origin = Origin::local;
    bool was_sent = false;  // bytes of the request may have reached the peer
    std::string detail;
};

std::string_view name(Code code);  // "invalid", "timeout", …: for logs and labels

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  public:
    using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(Code code, Origin origin, std::string detail, bool was_sent = false) {
    return tl::unexpected<Error>(Error{code, origin, was_sent, std::move(detail)});
}

}  // namespace holdfast
