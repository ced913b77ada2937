#include <fmt/format.h>

#include <array>
#include <vector>

#include "policy/signature.h"

namespace holdfast {
namespace {

constexpr std::string_view kOneAnswer = "the signature is not valid for this request";

struct Row {
    std::string_view name;
    ApiCode code;
    std::string_view message;
};
constexpr std::array<Row, static_cast<std::size_t>(AuthFailure::count_)> kRows{{
    {"missing_header", ApiCode::missing_credential,
     "Authorization, X-Timestamp, X-Nonce and X-Content-SHA256 are needed"},
    {"malformed_authorization", ApiCode::missing_credential, "Authorization must use the scheme HMAC-SHA256"},
    {"duplicate_header", ApiCode::invalid_request, "an authentication header occurs more than once"},
    {"malformed_authorization", ApiCode::invalid_request,
     "Authorization: must be HMAC-SHA256 SecretId=<id>, Signature=<64 lower-case hex>"},
    {"malformed_timestamp", ApiCode::invalid_request, "X-Timestamp: must be 10 digits of Unix seconds"},
    {"malformed_nonce", ApiCode::invalid_request, "X-Nonce: must be 16 to 64 of A-Za-z0-9_-"},
    {"malformed_content_sha256", ApiCode::invalid_request, "X-Content-SHA256: must be 64 lower-case hex digits"},
    {"bad_request_target", ApiCode::invalid_request, "the request target is malformed"},
    {"timestamp_out_of_window", ApiCode::request_expired, "X-Timestamp is outside the window of this node's clock"},
    {"unknown_secret_id", ApiCode::invalid_signature, kOneAnswer},
    {"content_sha256_mismatch", ApiCode::invalid_signature, kOneAnswer},
    {"signature_mismatch", ApiCode::invalid_signature, kOneAnswer},
    {"nonce_replayed", ApiCode::nonce_replayed, "X-Nonce has been used"},
    {"nonce_store_full", ApiCode::overloaded, "too many requests are being remembered for this credential"},
}};

const Row& row(AuthFailure failure) {
    return kRows[static_cast<std::size_t>(failure)];
}

// "A", "A and B", "A, B and C": the fields that sign a request, as often as `wanted` says.
std::string fields(const SignedHead& head, bool (*wanted)(const HeaderSeen&)) {
    const std::array<std::pair<std::string_view, const HeaderSeen*>, 4> all{
        {{"Authorization", &head.authorization},
         {"X-Timestamp", &head.timestamp},
         {"X-Nonce", &head.nonce},
         {"X-Content-SHA256", &head.content_sha256}}};
    std::vector<std::string_view> found;
    for (const auto& [name, seen] : all)
        if (wanted(*seen)) found.push_back(name);
    std::string out;
    for (std::size_t i = 0; i < found.size(); ++i)
        out.append(i == 0 ? "" : i + 1 == found.size() ? " and " : ", ").append(found[i]);
    return out;
}

} // namespace

std::string_view name(AuthFailure failure) {
    return row(failure).name;
}
ApiCode api_code(AuthFailure failure) {
    return row(failure).code;
}
std::string_view message(AuthFailure failure) {
    return row(failure).message;
}

std::string message(AuthFailure failure, const SignedHead& head, WallTime now, const AuthTerms& terms) {
    switch (failure) {
        case AuthFailure::missing_header:
            return fields(head, [](const HeaderSeen& seen) { return seen.count == 0; }) + ": missing";
        case AuthFailure::duplicate_header:
            return fields(head, [](const HeaderSeen& seen) { return seen.count > 1; }) + ": more than once";
        case AuthFailure::timestamp_out_of_window:
            return fmt::format("X-Timestamp: this node's clock says {}, and it may be {} s away at most{}",
                               unix_seconds(now), terms.window.count(),
                               terms.not_before == 0 ? "" : ", and not before the node's start");
        default:
            return std::string(message(failure));
    }
}

} // namespace holdfast
