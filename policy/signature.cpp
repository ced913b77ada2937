#include "policy/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/check.h"

namespace holdfast {
namespace {

constexpr std::string_view kScheme = "HMAC-SHA256";
constexpr std::size_t kNonceBytesMin = 16, kNonceBytesMax = 64, kTimestampDigits = 10;

// 0: may stand in a path, 1: must not, 2: the slash.
constexpr std::array<std::uint8_t, 256> kPathBytes = [] {
    std::array<std::uint8_t, 256> out{};
    for (std::size_t b = 0; b < out.size(); ++b)
        out[b] = b <= 0x20 || b >= 0x7f || b == '?' || b == '#' || b == '\\' ? 1 : 0;
    out['/'] = 2;
    return out;
}();

bool is_nonce(std::string_view text) {
    return text.size() >= kNonceBytesMin && text.size() <= kNonceBytesMax && is_secret_id(text);
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
    if (text.size() != kTimestampDigits) return std::nullopt;
    std::int64_t out = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        out = out * 10 + (c - '0');
    }
    return out;
}

struct Authorization {
    std::string_view secret_id;
    Digest signature{};
};

// "HMAC-SHA256 SecretId=<id>, Signature=<hex>" after the scheme's name; spaces only as shown.
std::optional<Authorization> parse_authorization(std::string_view text) {
    constexpr std::string_view kId = " SecretId=", kSignature = ", Signature=";
    if (!text.starts_with(kId)) return std::nullopt;
    text.remove_prefix(kId.size());
    const std::size_t comma = text.find(',');
    if (comma == text.npos) return std::nullopt;
    Authorization out;
    out.secret_id = text.substr(0, comma);
    text.remove_prefix(comma);
    if (!is_secret_id(out.secret_id) || !text.starts_with(kSignature)) return std::nullopt;
    text.remove_prefix(kSignature.size());
    if (!from_hex(text, out.signature)) return std::nullopt;
    return out;
}

// Whether every header is there, and once. One that is missing is told first: a request without our credentials is
// unauthenticated whatever else is wrong with it.
std::optional<AuthFailure> presence(const SignedHead& head) {
    if (head.authorization.count == 0) return AuthFailure::missing_header;
    if (head.authorization.count > 1) return AuthFailure::duplicate_header;
    const std::string_view value = head.authorization.value;
    const std::string_view scheme = value.substr(0, value.find(' '));
    if (scheme != kScheme) return AuthFailure::other_scheme;
    for (const HeaderSeen* header : {&head.timestamp, &head.nonce, &head.content_sha256})
        if (header->count == 0) return AuthFailure::missing_header;
    for (const HeaderSeen* header : {&head.timestamp, &head.nonce, &head.content_sha256})
        if (header->count > 1) return AuthFailure::duplicate_header;
    return std::nullopt;
}

// The text up to and without the body's hash.
void append_signed_head(std::string& out, std::string_view method, std::string_view host, std::string_view path,
                        std::string_view query, std::string_view timestamp, std::string_view nonce) {
    out += method;
    const std::size_t at = out.size();
    out += host;
    for (char *c = out.data() + at, *const end = out.data() + out.size(); c != end; ++c)
        if (*c >= 'A' && *c <= 'Z') *c = static_cast<char>(*c + 32);
    out += path;
    out.push_back('\n');
    out += query;
    out.push_back('\n');
    out += timestamp;
    out.push_back('\n');
    out += nonce;
    out.push_back('\n');
}

bool outside_window(std::int64_t timestamp, WallTime now, const AuthTerms& terms) {
    const std::int64_t apart = unix_seconds(now) - timestamp;
    const std::int64_t window = terms.window.count();
    return apart > window || apart < -window || timestamp < terms.not_before;
}

} // namespace

Claimed claimed(const SignedHead& head, WallTime now) {
    Claimed out;
    const std::string_view value = head.authorization.value;
    if (value.starts_with(kScheme))
        if (const auto authorization = parse_authorization(value.substr(kScheme.size())))
            out.secret_id = authorization->secret_id;
    if (const auto timestamp = parse_timestamp(head.timestamp.value))
        out.skew = Seconds(*timestamp - unix_seconds(now));
    return out;
}

std::optional<std::string> canonical_query(std::string_view raw) {
    std::string out;
    if (raw.empty()) return out;
    std::vector<std::pair<std::string, std::string>> pairs;
    while (!raw.empty()) {
        const std::size_t end = std::min(raw.find('&'), raw.size());
        const std::string_view piece = raw.substr(0, end);
        raw.remove_prefix(std::min(end + 1, raw.size()));
        if (piece.empty()) continue;
        if (pairs.size() == kQueryPairsMax) return std::nullopt;
        const std::size_t equal = std::min(piece.find('='), piece.size());
        const auto name = percent_decode(piece.substr(0, equal));
        const auto value = percent_decode(piece.substr(std::min(equal + 1, piece.size())));
        if (!name || !value) return std::nullopt;
        auto& [to_name, to_value] = pairs.emplace_back();
        append_percent_encoded(to_name, *name);
        append_percent_encoded(to_value, *value);
    }
    std::sort(pairs.begin(), pairs.end());
    for (const auto& [name, value] : pairs) {
        if (!out.empty()) out.push_back('&');
        out += name;
        out.push_back('=');
        out += value;
    }
    return out;
}

bool is_signable_path(std::string_view path) {
    if (path.empty() || path[0] != '/') return false;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const std::uint8_t kind = kPathBytes.data()[static_cast<unsigned char>(path[i])];
        if (kind == 0) continue;
        if (kind == 1) return false;
        const std::string_view segment = path.substr(i + 1, path.find('/', i + 1) - (i + 1));
        const bool last = i + 1 + segment.size() >= path.size();
        if (segment == "." || segment == ".." || (segment.empty() && !last)) return false;
    }
    return path.find("%00") == path.npos;
}

tl::expected<Claim, AuthFailure> claim(const SignedHead& head, WallTime now, const AuthTerms& terms) {
    const auto refuse = [](AuthFailure failure) { return tl::unexpected<AuthFailure>(failure); };
    if (const auto failure = presence(head)) return refuse(*failure);
    const auto authorization = parse_authorization(head.authorization.value.substr(kScheme.size()));
    if (!authorization) return refuse(AuthFailure::malformed_authorization);
    const auto timestamp = parse_timestamp(head.timestamp.value);
    if (!timestamp) return refuse(AuthFailure::malformed_timestamp);
    if (!is_nonce(head.nonce.value)) return refuse(AuthFailure::malformed_nonce);
    Claim out;
    if (!from_hex(head.content_sha256.value, out.content_sha256_)) return refuse(AuthFailure::malformed_content_sha256);
    if (!is_signable_path(head.path)) return refuse(AuthFailure::bad_request_target);
    const auto query = canonical_query(head.query);
    if (!query) return refuse(AuthFailure::bad_request_target);
    if (outside_window(*timestamp, now, terms)) return refuse(AuthFailure::timestamp_out_of_window);
    out.timestamp_ = *timestamp;
    out.signature_ = authorization->signature;
    out.text_.reserve(head.method.size() + head.host.size() + head.path.size() + query->size() + kTimestampDigits +
                      head.nonce.value.size() + head.content_sha256.value.size() + authorization->secret_id.size() + 4);
    append_signed_head(out.text_, head.method, head.host, head.path, *query, head.timestamp.value, head.nonce.value);
    out.nonce_bytes_ = head.nonce.value.size();
    out.nonce_at_ = out.text_.size() - 1 - out.nonce_bytes_;
    out.text_ += head.content_sha256.value;
    out.signed_bytes_ = out.text_.size();
    out.text_ += authorization->secret_id;
    return out;
}

tl::expected<const Credential*, AuthFailure> verify(const Claim& claim, const Digest& body,
                                                    const CredentialSet& credentials) {
    // The claimed body hash is what was signed; that it is the body's is a question of its own. All work is done before
    // the first answer, so that the time tells none of the three apart.
    bool known = false;
    const Credential* const matched =
        credentials.match(claim.secret_id(), claim.string_to_sign(), claim.signature(), known);
    const bool same_body = constant_time_equal(claim.content_sha256(), body);
    if (!known) return tl::unexpected<AuthFailure>(AuthFailure::unknown_secret_id);
    if (!same_body) return tl::unexpected<AuthFailure>(AuthFailure::content_sha256_mismatch);
    if (matched == nullptr) return tl::unexpected<AuthFailure>(AuthFailure::signature_mismatch);
    return matched;
}

std::optional<std::string> string_to_sign(const SignInput& input) {
    const auto query = canonical_query(input.query);
    if (!query) return std::nullopt;
    std::string out;
    append_signed_head(out, input.method, input.host, input.path, *query, fmt::format("{:010}", input.timestamp),
                       input.nonce);
    append_hex(out, input.body);
    return out;
}

SignedFields sign(const SignInput& input, std::string_view secret_id, HmacSha256& secret) {
    const auto text = string_to_sign(input);
    HF_CHECK(text.has_value());
    SignedFields out;
    out.authorization = fmt::format("{} SecretId={}, Signature=", kScheme, secret_id);
    append_hex(out.authorization, secret.of(*text));
    out.timestamp = fmt::format("{:010}", input.timestamp);
    out.nonce = input.nonce;
    append_hex(out.content_sha256, input.body);
    return out;
}

} // namespace holdfast
