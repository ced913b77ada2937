// The nouns of a verification: what is asked, what the centre says, what is answered.
// Values only, shared by every layer above; how they are judged is decision.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/base/crypto.h"
#include "edge/base/time.h"

namespace holdfast {

// What the centre decided. `provisional` is never one: nobody decided then.
enum class Verdict : std::uint8_t { pass = 1, fail = 2, review = 3 };

// What an answer says, and where it comes from (SPEC: the answer of POST /v1/verifications).
enum class Outcome : std::uint8_t { pass = 1, fail = 2, review = 3, provisional = 4 };
enum class Source : std::uint8_t { live = 1, cache = 2, feature = 3, policy = 4 };

std::string_view name(Verdict v);
std::string_view name(Outcome o);
std::string_view name(Source s);
std::optional<Verdict> parse_verdict(std::string_view text);
inline Outcome to_outcome(Verdict v) {
    return static_cast<Outcome>(v);
}

// The caller's own limits on a degraded answer; they only tighten.
struct Terms {
    std::optional<Seconds> max_age;
    bool degraded = true;  // false: no degraded answer at all
};

// The body of POST /v1/verifications, validated. Texts are owned: the request outlives its buffers. The evidence itself
// stays in the body, which is passed on byte for byte.
struct VerifyRequest {
    std::string order_no;
    std::string scene;
    std::string subject;
    std::string device;  // empty: none
    bool has_image = false;
    std::string image_type;       // "jpeg" or "png" by its magic bytes; empty without an image
    std::size_t image_bytes = 0;  // decoded
    std::vector<float> feature;   // empty: none; else 64 to 1024 finite values
    std::string feature_model;    // evidence.featureModel; empty: not given
    std::vector<std::pair<std::string, std::string>> attributes;
    Terms terms;

    // The attribute's value, or nothing.
    const std::string* attribute(std::string_view key) const {
        for (const auto& [k, v] : attributes)
            if (k == key) return &v;
        return nullptr;
    }
};

// A definite answer of the centre.
struct CentreOutcome {
    Verdict verdict = Verdict::review;
    std::optional<double> score;
    std::string verification_id;
    std::optional<Seconds> max_age;  // the centre's grant for reuse; 0 means never
    std::vector<float> feature;      // the enrolled feature, when the centre gave one
    std::string feature_model;
};

// What a stored outcome belongs to. Views: lives as long as what it points into.
struct SubjectKey {
    std::string_view credential;
    std::string_view subject;
    std::string_view scene;
    std::string_view device;  // empty: none; as of device_for
};

// A caller's app may act for several merchants, whose user ids may be equal: what is remembered of one's users must
// answer for none of another's. So the device of such a request is kept with a mark of its merchant (kMerchantMarkBytes
// characters, no two merchants the same) before it, wherever it is kept.
inline constexpr std::size_t kMerchantMarkBytes = 16;
inline constexpr char kMerchantSign = '\x1f';
inline std::string device_for(std::string_view merchant_mark, std::string_view device) {
    return std::string(1, kMerchantSign).append(merchant_mark).append(device);
}
// The device that the caller has named, without the mark; empty: none.
inline std::string_view named_device(std::string_view kept) {
    const std::size_t mark = kept.starts_with(kMerchantSign) ? 1 + kMerchantMarkBytes : 0;
    return kept.substr(std::min(mark, kept.size()));
}
inline bool names_device(std::string_view kept) {
    return !named_device(kept).empty();
}

// An answer to a caller, before it is written as JSON.
struct Answer {
    Outcome outcome = Outcome::review;
    Source source = Source::live;
    std::optional<double> score;
    WallTime decided_at;
    WallTime expires_at;
    Seconds age{0};
    std::string verification_id;
    bool degraded() const { return source != Source::live; }
};

}  // namespace holdfast
