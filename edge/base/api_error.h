// The closed set of refusals that a caller can get: HTTP status and machine-readable code (SPEC: errors). One table;
// the edge writes it, prechecks and limits choose from it.
#pragma once

#include <array>
#include <string_view>

namespace holdfast {

enum class ApiCode {
    invalid_request,
    missing_credential,
    invalid_signature,
    request_expired,
    nonce_replayed,
    scene_forbidden,
    precheck_denied,
    not_found,
    method_not_allowed,
    request_timeout,
    order_conflict,
    body_too_large,
    uri_too_long,
    unsupported_media_type,
    expectation_failed,
    misdirected_request,
    rate_limited,
    headers_too_large,
    not_implemented,
    http_version,
    internal_error,
    upstream_invalid_response,
    upstream_timeout,
    verification_unavailable,
    overloaded,
    draining,
    count_,  // how many there are
};

struct ApiCodeText {
    int status;
    std::string_view code;
};

inline constexpr std::array<ApiCodeText, static_cast<std::size_t>(ApiCode::count_)> kApiCodes{{
    {400, "InvalidRequest"},    {401, "MissingCredential"},
    {401, "InvalidSignature"},  {401, "RequestExpired"},
    {401, "NonceReplayed"},     {403, "SceneForbidden"},
    {403, "PrecheckDenied"},    {404, "NotFound"},
    {405, "MethodNotAllowed"},  {408, "RequestTimeout"},
    {409, "OrderConflict"},     {413, "BodyTooLarge"},
    {414, "UriTooLong"},        {415, "UnsupportedMediaType"},
    {417, "ExpectationFailed"}, {421, "MisdirectedRequest"},
    {429, "RateLimited"},       {431, "HeadersTooLarge"},
    {501, "InvalidRequest"},    {505, "InvalidRequest"},
    {500, "InternalError"},     {502, "UpstreamInvalidResponse"},
    {504, "UpstreamTimeout"},   {503, "VerificationUnavailable"},
    {503, "Overloaded"},        {503, "Draining"},
}};

inline const ApiCodeText& text_of(ApiCode code) {
    return kApiCodes[static_cast<std::size_t>(code)];
}

}  // namespace holdfast
