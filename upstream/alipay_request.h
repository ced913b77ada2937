// A request to Alipay's gateway as bytes: public parameters, biz_content by the configured mapping, signature, and the
// layout of the official SDK. Signing is slow: for the thread pool.
#pragma once

#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "edge/base/time.h"
#include "upstream/alipay_settings.h"
#include "upstream/form.h"

namespace holdfast {

// What goes on the wire; the head's other lines are the wire's affair.
struct AlipayRequest {
    std::string target;        // to be appended to the endpoint's path, as it is: "?method=…&sign=…"; or a v3 path
    std::string content_type;  // value of the header
    std::string headers;       // complete further lines (v3); empty: none
    std::string body;
};

// "2026-01-02 03:04:05" in GMT+8, and back.
std::string alipay_timestamp(WallTime t);
std::optional<WallTime> parse_alipay_timestamp(std::string_view text);

// A value of the request by its path of at most two names; nothing when it is not there.
json::Value value_at(json::Value request, std::string_view path);
// The JSON of biz_content by the mapping; `request` is the client's. Fields whose source is absent are left out.
std::string biz_content(const AlipayRequestMap& map, json::Value request);

// A call of the v2 gateway: parameters without a value are never sent, so every reading of the sign string agrees.
// `nonce` is the multipart boundary's, where there is one. Code::invalid, Origin::client, when a file is needed and not
// there, or the contents are too long to be encrypted.
Result<AlipayRequest> alipay_request_v2(const AlipaySettings& settings, json::Value request, WallTime now,
                                        std::string_view nonce);
// The same from parameters that are complete but for their signature: puts them in the SDK's layout. `sign` is theirs,
// `empty` whether it covers fields without a value.
AlipayRequest lay_out_v2(const Form& params, std::string_view sign, SignEmpty empty = SignEmpty::drop);
// A call of the v2 gateway that somebody has made for the same app, once more. Who asks, when, how it is signed and
// where notices go is ours; whom the app acts for and what it asks is the caller's, also a notify_url where we have
// none.
AlipayRequest alipay_request_anew(const AlipaySettings& settings, const Form& call, WallTime now);

// A call of the v3 protocol; `nonce` is new for every try.
AlipayRequest alipay_request_v3(const AlipaySettings& settings, json::Value request, WallTime now,
                                std::string_view nonce);
// Of any v3 call: the value of Authorization.
struct V3Call {
    std::string_view method, path_and_query, body;
};
std::string v3_auth_string(const AlipaySettings& settings, WallTime now, std::string_view nonce);
std::string v3_sign_string(const AlipaySettings& settings, std::string_view auth, const V3Call& call);
std::string v3_path(std::string_view method);  // "/v3/alipay/user/certify/open/query"

}  // namespace holdfast
