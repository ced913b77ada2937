// Caller authentication by HMAC-SHA256 (SPEC: authentication), in two steps because the body is hashed while it streams
// in: claim() reads the head, verify() decides once the body's digest is known. The nonce comes after both
// (nonce_window.h): a stranger must not be able to fill its store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "edge/base/api_error.h"
#include "edge/base/crypto.h"
#include "edge/base/time.h"
#include "policy/credential.h"

namespace holdfast {

inline constexpr std::size_t kQueryPairsMax = 256; // more in one query: bad_request_target

enum class AuthFailure {
    missing_header,
    other_scheme, // an Authorization that is not ours
    duplicate_header,
    malformed_authorization,
    malformed_timestamp,
    malformed_nonce,
    malformed_content_sha256,
    bad_request_target,
    timestamp_out_of_window,
    unknown_secret_id,
    content_sha256_mismatch,
    signature_mismatch,
    nonce_replayed,
    nonce_store_full,
    count_, // how many there are
};
std::string_view name(
    AuthFailure failure); // a closed set for logs and metrics; other_scheme is "malformed_authorization"
ApiCode api_code(AuthFailure failure);
std::string_view message(AuthFailure failure); // for the caller; the same for every failure behind InvalidSignature

// A header field as the parser saw it: how often, and the value (without surrounding white space) when once.
struct HeaderSeen {
    std::size_t count = 0;
    std::string_view value;
};

// What is signed of a request's head, and the fields that sign it. Views into the head buffer.
struct SignedHead {
    std::string_view method;
    std::string_view path;  // raw, up to '?'
    std::string_view query; // raw, after '?'
    std::string_view host;  // the Host field
    HeaderSeen authorization;
    HeaderSeen timestamp;
    HeaderSeen nonce;
    HeaderSeen content_sha256;
};

// What a head says of who signs it, believed or not: for the lines about those that are refused. A view of the head.
struct Claimed {
    std::string_view secret_id;   // empty: nothing in the form of one
    std::optional<Seconds> skew;  // how far its timestamp is ahead of the clock here; negative: behind
};
Claimed claimed(const SignedHead& head, WallTime now);

struct AuthTerms {
    Seconds window{300};
    // Timestamps before it are refused as expired: set to the start when the nonces of before could not be read back.
    std::int64_t not_before = 0; // Unix seconds
};

// The message of a failure of claim() with what the head shows: which fields are missing or there more than once, how
// far the clocks may be apart.
std::string message(AuthFailure failure, const SignedHead& head, WallTime now, const AuthTerms& terms);

// What the caller claims, before it is believed. Owns its bytes in one buffer, so that it outlives the head.
class Claim {
  public:
    std::string_view secret_id() const { return std::string_view(text_).substr(signed_bytes_); }
    std::string_view string_to_sign() const { return std::string_view(text_).substr(0, signed_bytes_); }
    std::string_view nonce() const { return std::string_view(text_).substr(nonce_at_, nonce_bytes_); }
    std::int64_t timestamp() const { return timestamp_; } // Unix seconds
    const Digest& content_sha256() const { return content_sha256_; }
    const Digest& signature() const { return signature_; }
    // Until when the nonce counts: the last moment at which claim() could still let the same head through.
    WallTime nonce_expiry(Seconds window) const { return from_unix_seconds(timestamp_ + window.count() + 1); }

  private:
    friend tl::expected<Claim, AuthFailure> claim(const SignedHead&, WallTime, const AuthTerms&);
    std::string text_; // the string to sign, then the secret id
    std::size_t signed_bytes_ = 0, nonce_at_ = 0, nonce_bytes_ = 0;
    std::int64_t timestamp_ = 0;
    Digest content_sha256_{}, signature_{};
};

// Step 1: headers present once, formats, request target, window. Reads no secret.
tl::expected<Claim, AuthFailure> claim(const SignedHead& head, WallTime now, const AuthTerms& terms);

// Step 2: secret id, body hash, signature. One amount of work whatever fails; the credential lives in `credentials`.
tl::expected<const Credential*, AuthFailure> verify(const Claim& claim, const Digest& body,
                                                    const CredentialSet& credentials);

// Pieces of it that tools and samples print.
std::optional<std::string> canonical_query(std::string_view raw_query); // nothing on bad escapes or too many pairs
bool is_signable_path(std::string_view path);
struct SignInput {
    std::string_view method, host, path, query;
    std::int64_t timestamp = 0;
    std::string_view nonce;
    Digest body{};
};
std::optional<std::string> string_to_sign(const SignInput& input); // nothing when the query is malformed
struct SignedFields {
    std::string authorization, timestamp, nonce, content_sha256;
};
// The four header values of a signed request. Requires: a query that string_to_sign accepts.
SignedFields sign(const SignInput& input, std::string_view secret_id, HmacSha256& secret);

} // namespace holdfast
