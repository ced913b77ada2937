// The fields of a request's head that routes look at, and what they say of its body. Who may ask, and for what, is said
// elsewhere.
#pragma once

#include "edge/net/http_message.h"
#include "policy/signature.h"

namespace holdfast {

// Found in one walk: every request pays for it.
struct HeadFields {
    HeaderSeen authorization, timestamp, nonce, content_sha256, content_type, content_encoding, traceparent;
};
HeadFields fields_of(const HeaderList& headers);

// application/json, with or without charset=utf-8; a missing Content-Type is taken as JSON.
bool is_json(const HeaderSeen& content_type);
bool is_form(const HeaderSeen& content_type);
bool is_coded(const HeaderSeen& content_encoding);  // by anything but identity

}  // namespace holdfast
