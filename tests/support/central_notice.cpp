#include "tests/support/central_notice.h"

#include <fmt/format.h>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "tests/support/bad_member.h"

namespace holdfast {
namespace {

std::optional<CentralNoticeOrder::Forge> forge_of(std::string_view text) {
    using Forge = CentralNoticeOrder::Forge;
    if (text == "none") return Forge::none;
    if (text == "wrong_key") return Forge::wrong_key;
    if (text == "unsigned") return Forge::unsigned_;
    if (text == "tampered") return Forge::tampered;
    return std::nullopt;
}

std::string hex_digest(std::string_view bytes) {
    return to_hex(Sha256::of(bytes));
}

}  // namespace

Result<CentralNoticeOrder> read_central_notice_order(json::Value json) {
    if (!json.is(json::Kind::object)) return bad_member("body", "an object");
    CentralNoticeOrder out;
    for (auto member = json.first(); member; member = member.next()) {
        const auto key = member.key();
        if (key == "kind") continue;
        if (key == "shiftSeconds") {
            const auto seconds = member.integer();
            if (!seconds) return bad_member(key, "a number");
            out.shift_seconds = *seconds;
            continue;
        }
        if (!member.text()) return bad_member(key, "a text");
        const std::string text(*member.text());
        if (key == "forge") {
            const auto forge = forge_of(text);
            if (!forge) return bad_member(key, "none, wrong_key, unsigned or tampered");
            out.forge = *forge;
        } else if (key == "url")
            out.url = text;
        else if (key == "notifyId")
            out.notify_id = text;
        else if (key == "credential")
            out.credential = text;
        else if (key == "orderNo")
            out.order_no = text;
        else if (key == "outcome")
            out.outcome = text;
        else if (key == "decidedAt")
            out.decided_at = text;
        else if (key == "verificationId")
            out.verification_id = text;
        else
            return bad_member(key, "a member that CentralNoticeOrder has");
    }
    if (out.url.empty()) return bad_member("url", "where it goes");
    return out;
}

CentralNotice central_notice(const CentralNoticeOrder& order, const std::string& secret, const std::string& host,
                             const std::string& path, WallTime now) {
    using Forge = CentralNoticeOrder::Forge;
    CentralNotice out;
    json::Writer w(out.body);
    w.begin_object().member("notificationId", order.notify_id).member("credential", order.credential);
    w.member("orderNo", order.order_no).member("outcome", order.outcome);
    w.member("decidedAt", order.decided_at.empty() ? rfc3339(now) : order.decided_at);
    if (!order.verification_id.empty()) w.member("verificationId", order.verification_id);
    w.end_object();
    if (order.forge == Forge::unsigned_) return out;
    std::array<std::uint8_t, 16> raw;
    random_bytes(raw);
    const std::string nonce = to_hex(raw), digest = hex_digest(out.body);
    const std::string stamp = std::to_string(unix_seconds(now) + order.shift_seconds);
    const std::string text = fmt::format("POST{}{}\n\n{}\n{}\n{}", host, path, stamp, nonce, digest);
    HmacSha256 hmac(order.forge == Forge::wrong_key ? "a secret that nobody gave" : secret);
    out.fields = fmt::format(
        "Authorization: HMAC-SHA256 SecretId=central, Signature={}\r\nX-Timestamp: {}\r\nX-Nonce: {}\r\n"
        "X-Content-SHA256: {}\r\n",
        to_hex(hmac.of(text)), stamp, nonce, digest);
    if (order.forge == Forge::tampered) out.body.insert(1, " ");
    return out;
}

}  // namespace holdfast
