#include "upstream/alipay_codes.h"

#include <algorithm>
#include <array>

namespace holdfast {
namespace {

constexpr AlipayMeaning kOutcome{AlipayClass::outcome, CallKind::success, false};
constexpr AlipayMeaning kPending{AlipayClass::pending, CallKind::success, false};
constexpr AlipayMeaning kAccepted{AlipayClass::pending, CallKind::success, true};  // of v3: asked again it may be there
constexpr AlipayMeaning kUnknown{AlipayClass::unknown_result, CallKind::failure, true};
constexpr AlipayMeaning kTransient{AlipayClass::transient, CallKind::failure, true};
constexpr AlipayMeaning kConfig{AlipayClass::config, CallKind::ignored, false};
constexpr AlipayMeaning kCaller{AlipayClass::caller_error, CallKind::ignored, false};
constexpr AlipayMeaning kBusiness{AlipayClass::business, CallKind::success, false, false};
constexpr AlipayMeaning kUnlisted{AlipayClass::business, CallKind::ignored, false, false};
constexpr AlipayMeaning kThrottled{AlipayClass::throttled, CallKind::throttled, true};
constexpr AlipayMeaning kProtocol{AlipayClass::protocol, CallKind::failure, false};

// 40002: unlisted sub-codes say that our set-up is wrong.
constexpr std::array<std::string_view, 6> kBadContent = {"isv.invalid-parameter", "isv.illegal-json",
                                                         "isv.suspected-attack",  "isv.invalid-file-extension",
                                                         "isv.invalid-file-size", "isv.code-invalid"};
constexpr std::array<std::string_view, 3> kAgain = {"isv.upload-fail", "isv.invalid-encrypt",
                                                    "isv.decryption-error-unknown"};

std::string_view last_part(std::string_view code) {
    return code.substr(code.rfind('.') + 1);  // the whole where it has no dot
}

// Whatever prefix it has, or none, as in v3.
template <std::size_t N>
bool ends_as_one_of(const std::array<std::string_view, N>& list, std::string_view code) {
    const std::string_view part = last_part(code);
    return std::any_of(list.begin(), list.end(), [part](std::string_view one) { return last_part(one) == part; });
}

AlipayMeaning business(std::string_view sub_code) {
    if (sub_code.ends_with("SYSTEM_ERROR")) return kUnknown;
    if (last_part(sub_code) == "INVALID_PARAMETER") return kCaller;
    if (sub_code == "NO_RIGHT" || last_part(sub_code) == "ACCESS_FORBIDDEN" ||
        sub_code.find("PERMISSION") != std::string_view::npos)
        return kConfig;
    return kBusiness;
}

}  // namespace

std::string_view name(AlipayClass c) {
    switch (c) {
        case AlipayClass::outcome:
            return "outcome";
        case AlipayClass::pending:
            return "pending";
        case AlipayClass::unknown_result:
            return "unknown_result";
        case AlipayClass::transient:
            return "transient";
        case AlipayClass::config:
            return "config";
        case AlipayClass::caller_error:
            return "caller_error";
        case AlipayClass::business:
            return "business";
        case AlipayClass::throttled:
            return "throttled";
        case AlipayClass::protocol:
            return "protocol";
    }
    return "protocol";
}

AlipayMeaning meaning_v2(std::string_view code, std::string_view sub_code) {
    if (code == "10000") return kOutcome;
    if (code == "10003") return kPending;
    if (code == "20000") return kUnknown;
    if (code == "40004") return business(sub_code);
    if (code == "40005") return kThrottled;
    if (code == "40002") {
        if (ends_as_one_of(kBadContent, sub_code)) return kCaller;
        if (ends_as_one_of(kAgain, sub_code)) return kTransient;
        return kConfig;
    }
    if (code == "20001" || code == "40001" || code == "40003" || code == "40006") return kConfig;
    return kUnlisted;
}

AlipayMeaning meaning_http(int status, bool wait) {
    if (status == 429 || (status == 503 && wait)) return kThrottled;
    if (status >= 500 && status <= 599) return kUnknown;
    if (status >= 400 && status <= 499) return kConfig;
    return kProtocol;
}

AlipayMeaning meaning_v3(int status, std::string_view code, bool wait) {
    if (status == 200 || status == 204) return kOutcome;
    if (status == 202) return kAccepted;
    if (status == 429 || (status == 503 && wait)) return kThrottled;
    if (code == "app-call-limited" || code == "method-call-limited") return kThrottled;
    if (status >= 500 && status <= 599) return kUnknown;
    if (code == "unknow-error" || code.ends_with("SYSTEM_ERROR")) return kUnknown;
    if (status == 401 || status == 403) return kConfig;
    if (status == 404 || ends_as_one_of(kBadContent, code)) return kCaller;
    if (ends_as_one_of(kAgain, code)) return kTransient;
    if (status != 400) return meaning_http(status);
    // The codes are the v2 sub-codes without their prefix, in small letters; what is in capitals is the business's.
    const bool gateways = !code.empty() && std::none_of(code.begin(), code.end(),
                                                        [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
    return gateways ? kConfig : business(code).what == AlipayClass::business ? kUnlisted : business(code);
}

}  // namespace holdfast
