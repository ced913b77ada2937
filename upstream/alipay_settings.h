// How the node speaks to Alipay's gateway: who it is, its keys, and what of a request and an answer means what. Values
// only, made from [upstream.alipay]; shared with jobs of the thread pool.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/verification.h"
#include "upstream/rsa2.h"
#include "upstream/rsa2_content.h"

namespace holdfast {

inline constexpr std::size_t kAlipayFieldsMax = 64;  // of a request mapping

// Where the value of a field comes from: the request's JSON ("orderNo", "evidence.image", "attributes.country"), or a
// constant, written with '=' before it.
struct AlipayField {
    std::string name;  // "outer_order_no"; "identity_param.cert_no" stands inside an object
    std::string source;
};

struct AlipayRequestMap {
    std::vector<AlipayField> fields;  // sorted by name
    // Not empty: the API takes a file (multipart), its fields are parameters of their own and biz_content is not sent.
    std::string file_field, file_source;
};

struct AlipayResponseMap {
    std::string outcome;  // field of the node; empty: it has none, the result comes later
    bool later = false;   // the call only begins it: its answer is pending, and the field is of notifications
    std::vector<std::string> pass, fail, review;
    std::vector<std::string> pending;         // not decided yet: never an outcome, never remembered
    std::string score;                        // empty: none
    double score_max = 1;                     // what a full score is
    std::string id = "certify_id";            // Alipay's own number of the verification
    std::string order_no = "outer_order_no";  // where it is there, it must be ours
};

struct AlipayVerifier {
    std::string sn;  // of the certificate; empty: a plain key, which serves for every answer
    rsa2::PublicKey key;
};

enum class AlipayProtocol : std::uint8_t { v2, v3 };

struct AlipaySettings {
    std::string app_id;
    std::string method = "alipay.user.faceverify.verify";
    AlipayProtocol protocol = AlipayProtocol::v2;
    std::string notify_url, app_auth_token;     // empty: not sent
    std::optional<rsa2::PrivateKey> key;        // ours; there in every checked configuration
    std::string app_cert_sn, root_cert_sn;      // empty: no certificates are used
    std::vector<AlipayVerifier> verifiers;      // at least one
    std::optional<rsa2::ContentCipher> cipher;  // nothing: contents are not encrypted
    AlipayRequestMap request;
    AlipayResponseMap response;

    // The key for an answer or a notification that names a certificate (empty: it names none), or nothing.
    const rsa2::PublicKey* verifier(std::string_view cert_sn) const;
};

// The mapping of a known face API, or nothing.
struct AlipayPreset {
    AlipayRequestMap request;
    AlipayResponseMap response;
};
std::optional<AlipayPreset> alipay_preset(std::string_view method);
// Whether a field of a request may be taken from there.
bool is_alipay_source(std::string_view source);

// What a value of the outcome field says; `text` empty: the field is not there. Nothing for a value that is not listed.
struct AlipaySays {
    bool pending = false;
    Verdict verdict = Verdict::review;
};
std::optional<AlipaySays> read_alipay_outcome(const AlipayResponseMap& map, std::string_view text);

}  // namespace holdfast
