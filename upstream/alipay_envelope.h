// The outside of an answer of Alipay's gateway: {"<method>_response":{…},"alipay_cert_sn":"…","sign":"…"}. The
// signature covers the bytes of the node as they came, so the node is cut out of the text and verified before anything
// in it is believed. A top-level key that stands twice, or is written with escapes, makes the whole text no answer:
// JSON parsers differ on which copy counts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "edge/base/result.h"

namespace holdfast {

inline constexpr std::size_t kEnvelopeMembersMax = 64;

struct Envelope {
    std::string_view node;               // its bytes, braces (or quotes, when it is encrypted) included; in the text
    bool is_error = false;               // it is error_response: never an outcome
    bool encrypted = false;              // the node is a string
    std::optional<std::string> sign;     // nothing: the answer is not signed
    std::optional<std::string> cert_sn;  // alipay_cert_sn
};

// Code::invalid, Origin::upstream, unless `text` is one JSON object with exactly one node: that of `method`, or
// error_response. `doc` is scratch memory.
Result<Envelope> open_envelope(std::string_view text, std::string_view method, json::Document& doc);
// "alipay.user.faceverify.verify" -> "alipay_user_faceverify_verify_response".
std::string node_name(std::string_view method);

}  // namespace holdfast
