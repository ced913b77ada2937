// How the Alipay double behaves beyond what every centre does: which business answer, how its answers and notifications
// are forged, how long a face check stays unfinished. Values only; a part of the CentrePlan, switched at run time.
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

namespace holdfast {

enum class Forge : std::uint8_t {
    none,
    wrong_key,        // signed by somebody else
    sha1,             // signed with SHA-1; a notification then says sign_type=RSA, as an old one would
    unsigned_,        // no signature at all
    bad_base64,       // a signature that is none
    tampered,         // changed after it was signed: the outcome is turned round
    duplicate_node,   // a signed node, and a second one of the same name that says T
    wrong_node,       // well signed, but the node of another method
    unknown_cert,     // well signed, but by a certificate that nobody knows (certificate mode)
    sign_first,       // right, though unusual: the signature stands before the node
    whitespace,       // right: white space in and around the node
    escaped_unicode,  // right: \uXXXX and \/ in the node
};
inline constexpr std::size_t kForges = 12;
std::string_view name(Forge forge);
std::optional<Forge> parse_forge(std::string_view text);

struct AlipayPlan {
    Forge forge = Forge::none;
    std::string code;                    // not empty: what every well-signed call is answered with
    std::string sub_code;                // beside it
    bool pending = false;                // a verification is accepted (10003); its result comes by notification
    unsigned processing = 0;             // queries of a face check that find it unfinished
    Seconds timestamp_window{900};       // how far a timestamp may be from now, GMT+8; 0: any
    std::optional<Millis> notify_after;  // a call with notify_url is notified so long afterwards, by itself
};

// As update() of the CentrePlan.
Result<void> update(AlipayPlan& plan, json::Value json);
void append_json(json::Writer& w, const AlipayPlan& plan);

// One notification on command.
struct NotifyOrder {
    std::string url;  // empty: that of the call with this order
    std::string order_no;
    std::string passed = "T";
    std::string notify_id;  // empty: a fresh one
    std::string app_id;     // empty: the configured one
    Forge forge = Forge::none;
    bool with_sign_type = false;                // signed with sign_type in the string, as some products do
    bool drop_empty = false;                    // fields without a value are sent, but not signed
    std::map<std::string, std::string> fields;  // more of them, or instead of the usual ones
};
Result<NotifyOrder> read_notify_order(json::Value json);

}  // namespace holdfast
