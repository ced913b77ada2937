// A notification of a `central` centre as the double sends it: the centre's own JSON, signed like a caller's request by
// the secret for notifications, or forged on command. Its signature is written from the contract's text alone.
#pragma once

#include <string>

#include "edge/base/json.h"
#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast {

// One on command.
struct CentralNoticeOrder {
    enum class Forge : std::uint8_t { none, wrong_key, unsigned_, tampered };
    std::string url;  // where it goes
    std::string notify_id, credential, order_no;
    std::string outcome = "pass";
    std::string decided_at;          // empty: now
    std::string verification_id;     // empty: none
    std::int64_t shift_seconds = 0;  // of the timestamp that is signed
    Forge forge = Forge::none;
};
Result<CentralNoticeOrder> read_central_notice_order(json::Value json);

// What goes out: the body, and the header lines that sign it, with their ends. `host` and `path` are those of the URL.
struct CentralNotice {
    std::string body, fields;
};
CentralNotice central_notice(const CentralNoticeOrder& order, const std::string& secret, const std::string& host,
                             const std::string& path, WallTime now);

}  // namespace holdfast
