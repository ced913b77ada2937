// An answer of Alipay's gateway, verified and read. Nothing but a signed, definite success is ever an outcome of
// `pass`; what is not signed is an error that nobody vouches for. Verifying is slow: for the thread pool.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "upstream/alipay_codes.h"
#include "upstream/alipay_settings.h"

namespace holdfast {

// Bytes of one answer: with a portrait it is 1.33 MB of base64, and more when that is encrypted.
inline constexpr std::uint64_t kAlipayAnswerMax = 4u << 20;

struct AlipayAnswer {
    int status = 0;
    std::string_view body;
    // Headers of v3: empty when absent.
    std::string_view v3_timestamp, v3_nonce, v3_signature, v3_sn;
    std::string_view retry_after{}, trace{};  // of both: empty when absent
    WallTime now{};
};

struct GatewayReply {
    CentralReply central;
    AlipayClass what = AlipayClass::protocol;
    bool is_signed = false;      // and the signature is good
    bool listed = true;          // false: the code or sub-code is none that is known
    std::string code, sub_code;  // printable, cut; empty when the answer had none
};

// `order_no`: what the answer must be about, where it says so. `doc` is scratch memory.
GatewayReply read_alipay(const AlipaySettings& settings, const AlipayAnswer& answer, std::string_view order_no,
                        json::Document& doc);

// A value of an answer or of a notification: a text, or a truth value by its name; empty for any other.
std::string read_alipay_text(json::Value value);
// A score as Alipay writes it, from 0 to `max`, as one from 0 to 1: a text or a number; nothing for any other.
std::optional<double> read_alipay_score(std::string_view text, double max);
std::optional<double> read_alipay_score(json::Value value, double max);

// Of an answer to a call that went on as its caller had signed it: what it says of app, key and rights is said of the
// caller, and where that is another app than the node's own, a wrong signature may come of a wrong key in its
// configuration. Neither is a word about the node.
void blame_caller(GatewayReply& reply, bool own_app);

}  // namespace holdfast
