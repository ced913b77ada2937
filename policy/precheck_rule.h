// What [[precheck]] declares, one struct for all kinds: the configuration fills it.
// Nothing here judges it; Prechecks::make does, and names the rule that is wrong.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/coupon.h"
#include "policy/rate_limit.h"

namespace holdfast {

inline constexpr std::size_t kPrechecksMax = 256;

// Values of an attribute, subject or device; a value belongs to it by any of the three.
struct ValueMatch {
    std::vector<std::string> exact;
    std::vector<std::string> prefix;
    std::string file;  // path of a set file, one value a line; empty: none
    bool empty() const { return exact.empty() && prefix.empty() && file.empty(); }
};

struct PrecheckRule {
    enum class Kind {
        attribute,  // `allow` and `deny` for the value of `attribute`; deny wins
        required,   // every one of `attributes` present and not empty
        residency,  // `regions` of the node's region holds the subject's country (`attribute`, default "country")
        coupon,     // `coupon` form of `attribute` (default "coupon"), dates of it and of `from_attribute`,
                    // `until_attribute`
        image,      // evidence.image: `image_required`, `image_types`, `image_bytes_min`, `image_bytes_max`
        subject,    // `allow` and `deny` for the subject
        device,     // `allow` and `deny` for the device; "" is matched like any other
        rate,       // `rate` per `rate_by`
    };
    enum class RateBy { credential, subject, address };

    std::string name;                 // unique; 1 to 64 of A-Za-z0-9_-.
    std::vector<std::string> scenes;  // "*" or empty: all
    Kind kind = Kind::attribute;
    std::string attribute;
    std::vector<std::string> attributes;
    ValueMatch allow, deny;
    // What a request without the attribute gets: true passes. Not set: an allow list and residency refuse it, a deny
    // list and a coupon let it pass (make it `required` to refuse).
    std::optional<bool> optional;
    std::map<std::string, std::vector<std::string>> regions;  // POP region -> countries whose subjects it may serve
    CouponForm coupon;
    std::string from_attribute, until_attribute;  // attributes with the coupon's first and last day; empty: none
    bool image_required = false;
    std::vector<std::string> image_types;                    // of "jpeg", "png"; empty: both
    std::uint64_t image_bytes_min = 0, image_bytes_max = 0;  // decoded; 0: no bound
    RateBy rate_by = RateBy::subject;
    RateSpec rate;
};

}  // namespace holdfast
