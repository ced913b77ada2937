// How the stand-in for the centre behaves: one mode, the share of requests that it hits, latencies, capacity, and what
// a healthy answer says. Switched as a whole, at run time; read from and written to JSON. Values only.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "edge/base/result.h"
#include "edge/base/time.h"
#include "policy/verification.h"
#include "tests/support/alipay_plan.h"

namespace holdfast {

enum class CentreMode : std::uint8_t {
    healthy,
    error,          // 500
    unavailable,    // 503, with Retry-After when the plan has one
    throttle,       // 429, likewise
    reject,         // 400: a definite answer that is no outcome
    hang,           // reads the request, never answers
    blackhole,      // hang, and new connections are not served at all, not even a handshake
    refuse,         // nobody listens, and open connections are closed
    close,          // closes instead of answering
    close_mid_body, // half of the body
    garbage,        // bytes that are no HTTP
    huge_head,      // 128 KiB of fields before a good answer
    interim_flood,  // 100 interim answers before a good one
    wrong_length,   // more bytes than declared
    bad_json,       // 200 with half a document
    bad_outcome,    // 200 with an outcome that nobody knows
    drip,           // a good answer, a byte each 20 ms
};
inline constexpr std::size_t kCentreModes = 17;
std::string_view name(CentreMode mode); // as in the control's JSON
std::optional<CentreMode> parse_centre_mode(std::string_view text);

struct CentrePlan {
    static constexpr std::size_t kOutcomesMax = 200; // named subjects

    CentreMode mode = CentreMode::healthy;
    double share = 1.0; // of requests that the mode hits; the rest is answered as by a healthy centre
    Nanos latency_min = 2ms;
    Nanos latency_max = 8ms;
    double slow_share = 0; // of requests that take `slow` instead
    Nanos slow = 1s;
    double capacity = 0;                   // requests a second, above it 503; 0: no limit
    Seconds retry_after{0};                // 0: no such field
    std::optional<Seconds> max_age = 600s; // maxAgeSeconds of a good answer; nothing: left out
    bool feature = false;                  // an enrolled feature of the subject in a good answer
    std::string feature_model = "stand-in-1";
    bool forgets = false; // decides each call anew, whatever its Idempotency-Key
    unsigned fail_percent = 5; // of subjects, by their hash
    unsigned review_percent = 2;
    std::map<std::string, Verdict> outcomes; // of named subjects, before the hash
    AlipayPlan alipay;

    Verdict verdict_of(std::string_view subject) const;
};

// Changes the members that `json` names and no other. Unknown members and values out of range are errors that name the
// member; then nothing is changed.
Result<void> update(CentrePlan& plan, json::Value json);
void append_json(std::string& out, const CentrePlan& plan);

// A stable number of a subject (FNV-1a), from which everything random about it derives.
std::uint64_t subject_hash(std::string_view subject);
// The subject's enrolled feature: 128 values, norm 1.
std::vector<float> subject_feature(std::string_view subject);

} // namespace holdfast
