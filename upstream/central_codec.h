// The centre's answer to POST /v1/verifications, read strictly, and what each status means for the circuit, for a retry
// and for the caller. Nothing but a well-formed 200 is ever an outcome.
//
// | status                      | circuit   | retry | the caller                                      |
// | 200, well-formed            | success   | no    | the outcome                                     |
// | 200, anything else          | failure   | yes   | 502 or the ladder                               |
// | other 1xx/2xx/3xx           | failure   | yes   | 502 or the ladder                               |
// | 429; 503 with Retry-After   | throttled | yes   | not before Retry-After; the ladder              |
// | other 4xx                   | success   | no    | 502, no ladder: the centre answered, not with an outcome |
// | 5xx                         | failure   | yes   | 502 or the ladder (504: 504)                    |
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "edge/base/result.h"
#include "edge/base/time.h"
#include "policy/verification.h"
#include "policy/verify_request.h"
#include "upstream/circuit.h"

namespace holdfast {

inline constexpr std::size_t kVerificationIdMax = 128; // printable ASCII
inline constexpr Seconds kGrantMax{365LL * 24 * 3600}; // maxAgeSeconds
inline constexpr Nanos kRetryAfterMax = 30s;           // longer is taken as this

// Why a call gave no outcome. The edge maps it to an answer and to whether the ladder may be used.
enum class FailureKind : std::uint8_t {
    none,
    timeout,          // no answer in time, 504
    invalid_response, // malformed, cut short, too large
    refused,          // no connection could be made
    unavailable,      // 5xx, or the connection was closed before an answer
    rejected,         // a definite 4xx: no outcome, no retry, no ladder
    setup,            // the centre says that our own set-up is wrong: no retry, no ladder, alarm
    caller_error,     // it says that what the caller sent is wrong: no retry, no ladder, 400
    caller_setup,     // a call that was passed on is refused for what its own caller has set up: as setup, no alarm
    pending,          // it has taken the order, and its outcome comes later
    bad_signature,    // an answer that should be signed and is not, or wrongly: no retry, alarm
    caller_signature, // the same to a call passed on for another app: its caller's key of the centre may be a wrong one
    throttled,        // 429, or 503 with Retry-After
    overloaded_local, // our own queue is full, or its place did not come in time: nothing was sent
    cancelled,        // its owner gave it up
    local,            // a fault of our own: DNS, descriptors, certificate
    count_,           // how many there are
};
std::string_view name(FailureKind kind); // "timeout", "invalid_response", …: for labels and `explain`

// The body of a 200. Code::invalid, Origin::upstream, for anything that is not exactly an answer; unknown fields are
// skipped, and of those that may be absent null is as good as that. `doc` is scratch memory.
Result<CentreOutcome> parse_central(std::string_view body, json::Document& doc);

// What an Alipay gateway said to a call that was passed on, signed by it.
struct RawAnswer {
    std::string body, content_type;
};

// Of Alipay: code and sub-code, and its own number of the call; printable, bounded.
struct CentreSaid {
    std::string code, trace;
};

struct CentralReply {
    CallKind kind = CallKind::failure;
    FailureKind failure = FailureKind::invalid_response; // none with an outcome
    std::optional<CentreOutcome> outcome;
    bool by_code = false;  // the outcome is a refusal by its code, which may come before anything was compared
    std::optional<Nanos> retry_after; // capped at kRetryAfterMax
    Error error;                      // for the log, when there is no outcome
    bool no_retry = false;            // whatever the failure is: a wrong signature is not asked for again
    std::string pending_id;           // with `pending`: the centre's number of the verification; empty: it gave none
    std::string said, trace;          // as of CentreSaid
    // The signed answer itself, where the request was passed on as it came. Owners: as of a call's result.
    std::shared_ptr<const RawAnswer> raw;
};
// `retry_after`: the header's value, empty when absent: seconds or an HTTP date (RFC 9110 §10.2.3).
CentralReply read_central(int status, std::string_view retry_after, std::string_view body, json::Document& doc,
                          WallTime now);
// Nothing when malformed; a date in the past is zero.
std::optional<Nanos> parse_retry_after(std::string_view text, WallTime now);

// Same credential and order, same key, on every node; both are of A-Za-z0-9_- so that '.' divides them.
void append_idempotency_key(std::string& out, std::string_view credential, std::string_view order_no);
std::string idempotency_key(std::string_view credential, std::string_view order_no);

} // namespace holdfast
