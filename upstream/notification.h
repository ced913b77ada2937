// A result that the centre sends by itself: Alipay's asynchronous notification, or one of a `central` centre. Verified
// before anything in it is looked at. Pure: what a notification changes is the edge's affair.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "upstream/alipay_settings.h"
#include "upstream/central_codec.h"
#include "upstream/form.h"

namespace holdfast {

inline constexpr std::size_t kNotifyIdMax = 128;  // bytes, printable ASCII
inline constexpr std::size_t kNotifyBytesMax = 256u << 10;

struct Notification {
    std::string id;                        // of idempotence: the same over redeliveries
    std::string order_no;                  // empty: it names none
    std::string credential;                // whose order; empty: it does not say (Alipay never does)
    std::string verification_id;           // the centre's number; empty: none
    std::optional<CentreOutcome> outcome;  // nothing: it decides nothing (pending, or of another kind)
    WallTime sent{};                       // when the centre says that it was made; the epoch: it does not say
};

// The fields of a notification: a form, or a JSON object of texts.
Result<Form> read_notification_fields(std::string_view body, bool is_json, json::Document& doc);

// Alipay's: RSA2 only, whatever the message says of itself, over the strings that its products are known to sign; then
// app_id. Code::denied for a bad signature or another app's, Code::invalid for what is malformed.
Result<Notification> read_alipay_notification(const AlipaySettings& settings, const Form& form, json::Document& doc);

}  // namespace holdfast
