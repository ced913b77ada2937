// What a service hands to its Connection: a whole HTTP answer as values. The Connection adds the framing (Date,
// Content-Length, Connection) and nothing else.
#pragma once

#include <string>
#include <string_view>

#include "edge/base/api_error.h"
#include "edge/base/time.h"
#include "policy/verification.h"

namespace holdfast {

struct Reply {
    int status = 200;
    std::string_view content_type = "application/json";  // a literal
    std::string own_type;                                // instead of content_type, where it is no literal; checked
    std::string headers;                                 // further header lines, each with its CRLF; values checked
    std::string body;
    bool close = false;  // end the connection after it
};

// A refusal as JSON (SPEC: errors). `retry_after` above zero adds the header; jitter is the caller's. `challenge`: a
// 401 names our way to sign; a caller who signs as for Alipay has another.
Reply error_reply(ApiCode code, std::string_view message, std::string_view request_id,
                  Seconds retry_after = Seconds(0), bool challenge = true);

// The 200 of a verification. `cache_status` and `proxy_status` are header values (RFC 9211, RFC 9209); empty: left out.
// `final_answer` false adds "final":false, for a degraded answer that is asked for again.
// Requires: ids, order number and scene are plain, as they are once checked.
struct AnswerContext {
    std::string_view request_id, order_no, scene, cache_status, proxy_status;
    bool show_final = false;  // GET of a recorded order tells whether it is final
};
Reply answer_reply(const Answer& answer, const AnswerContext& context);

}  // namespace holdfast
