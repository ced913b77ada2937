// Calls that an official Alipay SDK has signed for the gateway and sends to us instead: read and verified as the
// gateway does it, turned into a verification of our own, and kept to be passed on. They go on under their own
// signature, since Alipay signs its answer with the key of the app that asked, and only that one is the SDK's.
// Verifying is slow: for the thread pool.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/api_error.h"
#include "edge/base/crypto.h"
#include "upstream/alipay_request.h"
#include "upstream/alipay_settings.h"

namespace holdfast {

// A call looks them through one by one, and their keys are parsed at every reload: more than this asks for an index.
inline constexpr std::size_t kDropInAppsMax = 1000;

// Why a call is refused before it is known whose it is. The texts are the gateway's.
enum class DropInFault : std::uint8_t {
    none,
    unavailable,  // nothing is wrong with it: we cannot serve it now
    missing_app_id,
    invalid_app_id,
    missing_method,
    invalid_method,
    invalid_charset,
    missing_version,
    invalid_version,
    invalid_format,
    missing_timestamp,
    invalid_timestamp,
    missing_signature_type,
    invalid_signature_type,
    missing_signature,
    invalid_signature,
    invalid_encrypt_type,
    invalid_form,     // no form, or a field twice
    illegal_json,     // biz_content
    invalid_content,  // a field of biz_content is no text, or not where it is read
    another_check,    // a field of biz_content is not the constant that our own calls have
    count_,           // how many there are
};
struct DropInFaultText {
    std::string_view code, sub_code, sub_msg;
    ApiCode api;              // the same in our own words: for metrics
    std::string_view reason;  // for operators: the fault's name
};
const DropInFaultText& text_of(DropInFault fault);

struct DropInApp {
    std::string app_id;
    std::string credential;                          // as whom it calls
    std::shared_ptr<const rsa2::PublicKey> key;      // owners: every copy of the settings
    std::shared_ptr<const AlipaySettings> settings;  // with Alipay's key for this app; owners: also calls under way
    Nanos utc_offset = 8h;                           // of its timestamps
};

// Made from [gateway]; shared with jobs of the thread pool.
struct DropInSettings {
    std::string method;
    std::vector<DropInApp> apps;
    std::optional<rsa2::PrivateKey> key;  // ours; there in every checked configuration
    AlipayRequestMap request;             // "orderNo" from "outer_order_no": the other way round
    // What our own calls say by a constant, a call must not say otherwise: another check's result would be remembered
    // as that of ours. Fields of biz_content, their sources "=constant".
    std::vector<AlipayField> constants;
    std::string provisional;              // of the outcome field; empty: it is left out
    // Signed once, so that nobody unknown makes us sign: by fault, under the method's name and as error_response.
    std::array<std::string, 2 * static_cast<std::size_t>(DropInFault::count_)> refusals;

    const DropInApp* app(std::string_view app_id) const;
    const AlipayResponseMap& response() const { return apps.front().settings->response; }
    // Requires: sign_refusals() was called.
    const std::string& refusal(DropInFault fault, bool named) const {
        return refusals[2 * static_cast<std::size_t>(fault) + (named ? 1 : 0)];
    }
    void sign_refusals();
};

// A call that goes on as the caller has signed it.
struct Forward {
    AlipayRequest request;
    std::shared_ptr<const AlipaySettings> settings;  // what its answer is read by; owners: also the configuration
    bool own_app = false;                            // it is the node's own app that asks
    // Not empty: kept_call() of one for the own app, which goes out instead of `request`, signed by the node for each
    // try: its caller's signature holds for minutes only.
    std::string anew{};
};
// What is kept of a call that may have to be made again when nobody waits for it any more: its parameters, as a form.
std::string kept_call(const Forward& call);
// The same, but what it asks is `request`, the JSON of a verification, by the mapping of our own calls.
std::string kept_call(const Forward& call, json::Value request);

struct DropInWire {
    std::string_view query, body;
    bool is_form = true;  // by its Content-Type
};
struct DropInCall {
    DropInFault fault = DropInFault::none;
    bool named = false;                      // the method is ours: a refusal stands under its name
    std::string app_id;                      // that it names, believed or not; only in the form of an id
    std::optional<Seconds> skew;             // of a refused timestamp: how far it is ahead of now
    std::string credential;                  // as the rest: only without a fault
    std::string merchant;                    // for whom its app acts, as of device_for; empty: for itself
    std::string request;                     // the JSON of POST /v1/verifications
    Digest digest{};                         // of `request`: two calls for one thing have the same
    std::shared_ptr<const Forward> forward;  // owners: the exchange, its call, a late try
};
// Requires: settings has an app. `window`: how far a timestamp may be from now.
DropInCall read_drop_in(const DropInSettings& settings, const DropInWire& wire, WallTime now, Nanos window);

// The other way round of a request mapping; fields with a constant are left out.
AlipayRequestMap inverted(const AlipayRequestMap& map);
// Those with a constant.
std::vector<AlipayField> constants_of(const AlipayRequestMap& map);

}  // namespace holdfast
