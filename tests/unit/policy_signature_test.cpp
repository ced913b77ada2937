#include "policy/signature.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "edge/base/bytes.h"
#include "edge/base/json.h"
#include "policy/nonce_window.h"

using namespace holdfast;

namespace {

constexpr std::int64_t kNow = 1795400000;
constexpr std::string_view kSecret = "a secret of twenty bytes or more";
const AuthTerms kTerms{Seconds(300), 0};

std::string read_vectors() {
    std::ifstream file(std::string(HOLDFAST_SOURCE_DIR) + "/tests/vectors/hmac.json");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

CredentialSet one_credential(std::string previous = "") {
    auto set = CredentialSet::make({{"app", std::string(kSecret), std::move(previous), {"LOGIN"}, std::nullopt}});
    REQUIRE(set);
    return std::move(*set);
}

// A request that is signed right, to be spoilt by the tests.
struct Signed {
    std::string body = "{}";
    SignInput input{"POST", "edge.example:8443", "/v1/verifications", "", kNow, "nonce-0123456789", Sha256::of("{}")};
    SignedFields fields;
    SignedHead head;
    explicit Signed(std::string_view secret = kSecret, std::string_view id = "app", std::int64_t timestamp = kNow) {
        input.timestamp = timestamp;
        HmacSha256 key(secret);
        fields = sign(input, id, key);
        refresh();
    }
    void refresh() {
        head = {input.method,
                input.path,
                input.query,
                input.host,
                {1, fields.authorization},
                {1, fields.timestamp},
                {1, fields.nonce},
                {1, fields.content_sha256}};
    }
    Signed(const Signed&) = delete;
};

std::optional<AuthFailure> claim_failure(const SignedHead& head, std::int64_t now = kNow, AuthTerms terms = kTerms) {
    const auto claimed = claim(head, from_unix_seconds(now), terms);
    return claimed ? std::nullopt : std::optional(claimed.error());
}

std::optional<AuthFailure> failure_of(const Signed& request, const CredentialSet& set, std::string_view body = "{}") {
    const auto claimed = claim(request.head, from_unix_seconds(kNow), kTerms);
    if (!claimed) return claimed.error();
    const auto verified = verify(*claimed, Sha256::of(body), set);
    return verified ? std::nullopt : std::optional(verified.error());
}

// The outcome of a vector's request, by the names of the vectors.
std::string run(json::Value vector, const CredentialSet& set, NonceWindow& nonces) {
    const json::Value request = vector["request"];
    const std::string_view target = *request["target"].text();
    const std::size_t mark = std::min(target.find('?'), target.size());
    SignedHead head{*request["method"].text(),
                    target.substr(0, mark),
                    target.substr(std::min(mark + 1, target.size())),
                    {},
                    {},
                    {},
                    {},
                    {}};
    for (json::Value pair = request["headers"].first(); pair; pair = pair.next()) {
        const std::string_view name = *pair.first().text(), value = *pair.first().next().text();
        const auto see = [value](HeaderSeen& seen) { seen = {seen.count + 1, value}; };
        if (name == "Host") head.host = value;
        if (name == "Authorization") see(head.authorization);
        if (name == "X-Timestamp") see(head.timestamp);
        if (name == "X-Nonce") see(head.nonce);
        if (name == "X-Content-SHA256") see(head.content_sha256);
    }
    const WallTime now = from_unix_seconds(*vector["now"].integer());
    const auto claimed = claim(head, now, kTerms);
    if (!claimed) return std::string(name(claimed.error()));
    const auto body = from_base64(*request["body_base64"].text());
    REQUIRE(body);
    const auto verified = verify(*claimed, Sha256::of(as_text(*body)), set);
    if (!verified) return std::string(name(verified.error()));
    CHECK(claimed->string_to_sign() == *vector["string_to_sign"].text());
    const auto fingerprint = nonces.fingerprint(claimed->secret_id(), claimed->nonce());
    const auto inserted = nonces.insert(fingerprint, claimed->nonce_expiry(kTerms.window), {MonoTime(100s), now});
    return inserted == NonceWindow::Insert::fresh ? "ok" : std::string(name(AuthFailure::nonce_replayed));
}

} // namespace

TEST_CASE("signature: every published vector, in file order, with one nonce set") {
    json::Document document;
    const std::string text = read_vectors();
    const auto root = document.parse(text);
    REQUIRE(root);
    std::vector<CredentialSpec> specs;
    for (json::Value secret = (*root)["secrets"].first(); secret; secret = secret.next()) {
        const std::string_view hex = *secret["hex"].text();
        std::string bytes(hex.size() / 2, '\0');
        REQUIRE(from_hex(hex, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
        specs.push_back({std::string(secret.key()), bytes, "", {}, std::nullopt});
    }
    const auto set = CredentialSet::make(std::move(specs));
    REQUIRE(set);
    NonceWindow nonces(1000, Seconds(300), SipKey{});
    nonces.set_owners(set->ids());
    int count = 0;
    for (json::Value vector = (*root)["vectors"].first(); vector; vector = vector.next(), ++count) {
        INFO(*vector["name"].text());
        CHECK(run(vector, *set, nonces) == *vector["expect"].text());
    }
    CHECK(count == 29);
}

TEST_CASE("signature: canonical queries") {
    CHECK(canonical_query("") == "");
    CHECK(canonical_query("&&") == "");
    CHECK(canonical_query("b=2&a=2&a=1&c=&flag") == "a=1&a=2&b=2&c=&flag=");
    CHECK(canonical_query("a-=1&a=2") == "a=2&a-=1");
    CHECK(canonical_query("a=b=c") == "a=b%3Dc");
    CHECK(canonical_query("q=a+b&r=%2b%7e%41") == "q=a%2Bb&r=%2B~A");
    CHECK(canonical_query("%e5%bc%a0=1") == "%E5%BC%A0=1");
    CHECK(canonical_query("=v") == "=v");
    for (std::string_view bad : {"a=%", "a=%4", "a=%zz", "%g0=1"}) CHECK_FALSE(canonical_query(bad));
    std::string many;
    for (std::size_t i = 0; i < kQueryPairsMax; ++i) many += "a&";
    CHECK(canonical_query(many));
    CHECK_FALSE(canonical_query(many + "a"));
}

TEST_CASE("signature: request targets that no route has are refused before the window") {
    for (std::string_view good : {"/", "/v1/verifications", "/v1/verifications/PO-1", "/a/", "/a.b/..c", "/%2e%2e"})
        CHECK(is_signable_path(good));
    for (std::string_view bad : {"", "v1", "//", "/a//b", "/.", "/a/./b", "/../a", "/a/..", "/a%00b", "/a b", "/a#b",
                                 "/a\\b", "/\xc3\xa9", "/a?b", "/a\x7f", "http://x/"})
        CHECK_FALSE(is_signable_path(bad));
    Signed request;
    request.head.path = "/v1//x";
    CHECK(claim_failure(request.head) == AuthFailure::bad_request_target);
    request.refresh();
    request.head.query = "a=%zz";
    CHECK(claim_failure(request.head) == AuthFailure::bad_request_target);
}

TEST_CASE("signature: a request without our credentials is unauthenticated whatever else is wrong") {
    Signed request;
    request.head.authorization = {};
    request.head.timestamp = {2, "x"};
    request.head.path = "nonsense";
    CHECK(claim_failure(request.head) == AuthFailure::missing_header);
    for (std::string_view other :
         {"Basic dTpw", "Bearer x", "hmac-sha256 SecretId=a", "HMAC-SHA1 SecretId=a", "", "HMAC-SHA256,x"}) {
        request.head.authorization = {1, other};
        CHECK(claim_failure(request.head) == AuthFailure::other_scheme);
    }
    CHECK(api_code(AuthFailure::missing_header) == ApiCode::missing_credential);
    CHECK(api_code(AuthFailure::other_scheme) == ApiCode::missing_credential);
}

TEST_CASE("signature: each header once") {
    for (HeaderSeen SignedHead::*header :
         {&SignedHead::authorization, &SignedHead::timestamp, &SignedHead::nonce, &SignedHead::content_sha256}) {
        Signed request;
        (request.head.*header).count = 2;
        CHECK(claim_failure(request.head) == AuthFailure::duplicate_header);
        (request.head.*header).count = 0;
        CHECK(claim_failure(request.head) == AuthFailure::missing_header);
    }
}

TEST_CASE("signature: malformed fields have their own names") {
    const std::string hex(64, 'a');
    for (const std::string& bad :
         {std::string("HMAC-SHA256"), "HMAC-SHA256 SecretId=, Signature=" + hex,
          "HMAC-SHA256 SecretId=app,Signature=" + hex, "HMAC-SHA256  SecretId=app, Signature=" + hex,
          "HMAC-SHA256 SecretId=app, Signature=" + hex + "0", "HMAC-SHA256 SecretId=app, Signature=" + hex.substr(1),
          "HMAC-SHA256 SecretId=" + std::string(65, 'x') + ", Signature=" + hex,
          "HMAC-SHA256 Signature=" + hex + ", SecretId=app",
          "HMAC-SHA256 SecretId=app, Signature=" + std::string(64, 'A')}) {
        Signed request;
        request.head.authorization.value = bad;
        CHECK(claim_failure(request.head) == AuthFailure::malformed_authorization);
    }
    for (std::string_view bad :
         {"", "179540000", "17954000000", "+179540000", " 179540000", "1795400000 ", "179540000a"}) {
        Signed request;
        request.head.timestamp.value = bad;
        CHECK(claim_failure(request.head) == AuthFailure::malformed_timestamp);
    }
    for (const std::string& bad :
         {std::string(15, 'n'), std::string(65, 'n'), std::string("nonce.0123456789"), std::string()}) {
        Signed request;
        request.head.nonce.value = bad;
        CHECK(claim_failure(request.head) == AuthFailure::malformed_nonce);
    }
    for (const std::string& bad : {hex.substr(1), hex + "a", std::string(64, 'A'), std::string()}) {
        Signed request;
        request.head.content_sha256.value = bad;
        CHECK(claim_failure(request.head) == AuthFailure::malformed_content_sha256);
    }
}

TEST_CASE("signature: the window is inclusive on both sides") {
    const Signed request;
    for (std::int64_t now : {kNow - 300, kNow, kNow + 300}) CHECK_FALSE(claim_failure(request.head, now));
    for (std::int64_t now : {kNow - 301, kNow + 301})
        CHECK(claim_failure(request.head, now) == AuthFailure::timestamp_out_of_window);
    CHECK_FALSE(claim_failure(request.head, kNow, {Seconds(300), kNow}));
    CHECK(claim_failure(request.head, kNow, {Seconds(300), kNow + 1}) == AuthFailure::timestamp_out_of_window);
}

TEST_CASE("signature: a nonce counts for as long as its head can pass") {
    const Signed request;
    const auto claimed = claim(request.head, from_unix_seconds(kNow), kTerms);
    REQUIRE(claimed);
    const WallTime end = claimed->nonce_expiry(kTerms.window);
    CHECK(claim(request.head, end - Nanos(1), kTerms));
    CHECK_FALSE(claim(request.head, end, kTerms));
}

TEST_CASE("signature: a claim outlives the head it came from") {
    auto request = std::make_unique<Signed>();
    auto claimed = claim(request->head, from_unix_seconds(kNow), kTerms);
    REQUIRE(claimed);
    request.reset();
    const Claim moved = std::move(*claimed);
    CHECK(moved.secret_id() == "app");
    CHECK(moved.nonce() == "nonce-0123456789");
    CHECK(verify(moved, Sha256::of("{}"), one_credential()));
}

TEST_CASE("signature: the host is signed in lower case") {
    Signed request;
    request.head.host = "EDGE.Example:8443";
    CHECK_FALSE(failure_of(request, one_credential()));
    request.head.host = "edge.example";
    CHECK(failure_of(request, one_credential()) == AuthFailure::signature_mismatch);
}

TEST_CASE("signature: both active secrets are good, a third is not") {
    const CredentialSet both = one_credential("the former secret, still active");
    CHECK_FALSE(failure_of(Signed(), both));
    CHECK_FALSE(failure_of(Signed("the former secret, still active"), both));
    CHECK(failure_of(Signed("another secret, never active"), both) == AuthFailure::signature_mismatch);
    CHECK(failure_of(Signed("the former secret, still active"), one_credential()) == AuthFailure::signature_mismatch);
}

TEST_CASE("signature: while one id is in rotation the others have one secret still") {
    auto set = CredentialSet::make({{"app", std::string(kSecret), "the former secret of app", {}, std::nullopt},
                                    {"web", "the only secret of web", "", {}, std::nullopt}});
    REQUIRE(set);
    CHECK_FALSE(failure_of(Signed("the only secret of web", "web"), *set));
    CHECK(failure_of(Signed("the former secret of app", "web"), *set) == AuthFailure::signature_mismatch);
    CHECK(failure_of(Signed(kSecret, "web"), *set) == AuthFailure::signature_mismatch);
    CHECK(failure_of(Signed(kSecret, "nobody"), *set) == AuthFailure::unknown_secret_id);
}

TEST_CASE("signature: the body, the id and the signature fail in this order, with one answer") {
    const CredentialSet set = one_credential();
    CHECK(failure_of(Signed(kSecret, "nobody"), set, "other") == AuthFailure::unknown_secret_id);
    CHECK(failure_of(Signed("another secret, never active"), set, "other") == AuthFailure::content_sha256_mismatch);
    CHECK(failure_of(Signed(), set, "other") == AuthFailure::content_sha256_mismatch);
    for (AuthFailure failure :
         {AuthFailure::unknown_secret_id, AuthFailure::content_sha256_mismatch, AuthFailure::signature_mismatch}) {
        CHECK(api_code(failure) == ApiCode::invalid_signature);
        CHECK(message(failure) == message(AuthFailure::signature_mismatch));
    }
}

TEST_CASE("signature: failures have the codes of the contract") {
    using enum AuthFailure;
    for (AuthFailure failure : {malformed_authorization, malformed_timestamp, malformed_nonce, malformed_content_sha256,
                                duplicate_header, bad_request_target})
        CHECK(api_code(failure) == ApiCode::invalid_request);
    CHECK(api_code(timestamp_out_of_window) == ApiCode::request_expired);
    CHECK(api_code(AuthFailure::nonce_replayed) == ApiCode::nonce_replayed);
    CHECK(text_of(api_code(nonce_store_full)).status == 503);
}

TEST_CASE("signature: what a head says of its signer is taken only in the form that it must have") {
    Signed request(kSecret, "app", kNow - 900);
    const auto said = [&request] { return claimed(request.head, from_unix_seconds(kNow)); };
    CHECK(said().secret_id == "app");
    CHECK(said().skew == Seconds(-900));
    request.fields.timestamp = "17954000000";
    request.refresh();
    CHECK_FALSE(said().skew);
    const std::string rest = ", Signature=" + std::string(64, 'a');
    for (const std::string& id : {std::string("a\x1b[2J"), std::string(65, 'a'), std::string("a b"), std::string()}) {
        request.fields.authorization = "HMAC-SHA256 SecretId=" + id + rest;
        request.refresh();
        INFO(id);
        CHECK(said().secret_id.empty());
    }
    for (const char* other : {"", "Bearer app", "HMAC-SHA256", "HMAC-SHA256 SecretId=app"}) {
        request.fields.authorization = other;
        request.refresh();
        CHECK(said().secret_id.empty());
    }
}

TEST_CASE("signature: what is missing, there twice or too far away is named, and nothing else") {
    using enum AuthFailure;
    const HeaderSeen once{1, "x"}, none{}, twice{2, "x"};
    const WallTime now = from_unix_seconds(1795400000);
    const auto said = [&](AuthFailure failure, HeaderSeen authorization, HeaderSeen timestamp, HeaderSeen nonce,
                          HeaderSeen hash, std::int64_t not_before = 0) {
        return message(failure, {"POST", "/", "", "h", authorization, timestamp, nonce, hash}, now, {300s, not_before});
    };
    CHECK(said(missing_header, none, none, none, none) ==
          "Authorization, X-Timestamp, X-Nonce and X-Content-SHA256: missing");
    CHECK(said(missing_header, once, none, once, none) == "X-Timestamp and X-Content-SHA256: missing");
    CHECK(said(missing_header, none, once, once, once) == "Authorization: missing");
    CHECK(said(duplicate_header, once, once, twice, once) == "X-Nonce: more than once");
    CHECK(said(timestamp_out_of_window, once, once, once, once) ==
          "X-Timestamp: this node's clock says 1795400000, and it may be 300 s away at most");
    CHECK(said(timestamp_out_of_window, once, once, once, once, 1795399990)
              .ends_with(", and not before the node's start"));
    for (AuthFailure failure : {unknown_secret_id, content_sha256_mismatch, signature_mismatch, malformed_nonce})
        CHECK(said(failure, none, twice, none, once) == message(failure));
}
