// What Alipay's codes mean for the circuit, for a retry and for the caller: the table of its OpenAPI, v2 (code and
// sub_code inside a 200) and v3 (HTTP status and code). Sub-codes are matched by their exact text first, then by their
// end, since the documents differ about prefixes. "unknow" is spelled so on the wire.
#pragma once

#include <string_view>

#include "upstream/central_codec.h"

namespace holdfast {

enum class AlipayClass : std::uint8_t {
    outcome,         // read it
    pending,         // accepted, the result comes later
    unknown_result,  // it may have worked: ask again with the same order number
    transient,       // it has not worked: ask again
    config,          // our own set-up is wrong: no retry, no ladder, alarm
    caller_error,    // what the app sent is wrong: 400
    business,        // a definite refusal
    throttled,       // too many calls
    protocol,        // no answer in the protocol's sense
};
std::string_view name(AlipayClass c);

struct AlipayMeaning {
    AlipayClass what = AlipayClass::protocol;
    CallKind kind = CallKind::failure;  // for the circuit; ignored: neutral
    bool retry = false;
    bool listed = true;  // false: a code or sub-code that the table does not know
};

// Of an answer with HTTP status 200; an empty sub_code is none.
AlipayMeaning meaning_v2(std::string_view code, std::string_view sub_code);
// Of another HTTP status of the v2 gateway; `wait`: whether it says when to come again (Retry-After).
AlipayMeaning meaning_http(int status, bool wait = false);
// Of an answer of the v3 gateway; `code` is empty in a success.
AlipayMeaning meaning_v3(int status, std::string_view code, bool wait = false);

}  // namespace holdfast
