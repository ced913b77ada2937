#include <array>

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

} // namespace holdfast
