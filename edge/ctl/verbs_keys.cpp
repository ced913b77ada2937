// keys sign and keys verify: a request described in a file, a secret in another or among those of the node's
// configuration; no node is asked.
#include <fmt/format.h>

#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/config.h"
#include "edge/ctl/keys.h"
#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

constexpr std::size_t kNonceBytes = 16;
constexpr Seconds kWindow{300};  // auth.window of a node that says nothing else

std::optional<DescribedRequest> request_of(Session& s, int& code) {
    const auto text = s.read_file(s.command.file, admin::kRequestBytesMax, code);
    if (!text) return std::nullopt;
    const auto root = s.document.parse(*text);
    auto request = root ? read_request(*root) : Result<DescribedRequest>(tl::unexpected(root.error()));
    if (request) return std::move(*request);
    s.console.complain(
        fmt::format("holdfastctl: {}: {}", printable(s.command.file), printable(request.error().detail)));
    code = kWrongUsage;
    return std::nullopt;
}

// Whose secret signs or verifies, as the bytes of its file.
struct Signer {
    std::string id, secret, previous;  // `previous`: the other active one; empty: none
    Seconds window = kWindow;
};

// That of --secret-file, else of the caller `id` in the node's configuration; an empty one is the only caller there.
std::optional<Signer> signer_of(Session& s, const std::string& id, int& code) {
    if (!s.command.secret_file.empty()) {
        auto secret = s.read_file(s.command.secret_file, kSecretBytesMax + 1, code);
        if (!secret) return std::nullopt;
        return Signer{id, std::move(*secret), {}, kWindow};
    }
    const auto wrong = [&](const std::string& why) {
        s.console.complain(fmt::format("holdfastctl: {}; or give --secret-file", printable(why)));
        code = kWrongUsage;
        return std::nullopt;
    };
    const ConfigOutcome outcome = load_config(s.command.config);
    if (!outcome.config) {
        wrong(fmt::format("the secrets of {} cannot be had: {}", s.command.config,
                          outcome.errors.empty() ? "" : outcome.errors.front().message));
        if (::access(s.command.config.c_str(), R_OK) == 0)
            code = kConfigInvalid;
        else if (errno == EACCES)
            code = kNoPermission;
        return std::nullopt;
    }
    const auto& all = outcome.config->credentials;
    std::string known;
    for (const CredentialSpec& one : all) {
        if (one.id == id || (id.empty() && all.size() == 1))
            return Signer{one.id, one.secret + "\n", one.previous_secret.empty() ? "" : one.previous_secret + "\n",
                          std::chrono::duration_cast<Seconds>(outcome.config->auth.window)};
        if (known.size() < 256) known += (known.empty() ? "" : ", ") + one.id;
    }
    if (id.empty()) return wrong("who signs? --id is one of: " + known);
    return wrong(fmt::format("no credential of {} is called {}; there are: {}", s.command.config, id, known));
}

// What the request says of who signed it; empty: nothing that can be read.
std::string secret_id_in(const DescribedRequest& request) {
    constexpr std::string_view kName = "SecretId=";
    const std::string_view text = request.header("authorization").value;
    const auto at = text.find(kName);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = text.substr(at + kName.size());
    return std::string(rest.substr(0, rest.find_first_of(", ")));
}

std::int64_t now_of(const Session& s) {
    return s.command.at ? *s.command.at : unix_seconds(WallClock::read());
}

void show_fields(Session& s, const std::string& canonical, const SignedFields& fields) {
    if (s.command.json) {
        std::string body;
        json::Writer w(body);
        w.begin_object().member("stringToSign", canonical).key("headers").begin_object();
        w.member("Authorization", fields.authorization).member("X-Timestamp", fields.timestamp);
        w.member("X-Nonce", fields.nonce).member("X-Content-SHA256", fields.content_sha256).end_object().end_object();
        s.console.data(body + "\n");
        return;
    }
    s.console.data("canonical string:\n" + visible(canonical) + "\n");
    s.console.line("Authorization: " + fields.authorization);
    s.console.line("X-Timestamp: " + fields.timestamp);
    s.console.line("X-Nonce: " + fields.nonce);
    s.console.line("X-Content-SHA256: " + fields.content_sha256);
}

// What a node whose clock shows the time of the signature says to such a head before it looks at the signature.
std::optional<AuthFailure> refusal(const SignInput& input, const SignedFields& fields) {
    const SignedHead head{input.method,
                          input.path,
                          input.query,
                          input.host,
                          {1, fields.authorization},
                          {1, fields.timestamp},
                          {1, fields.nonce},
                          {1, fields.content_sha256}};
    const auto claimed = claim(head, from_unix_seconds(std::min(input.timestamp, kSecondsMax)), AuthTerms{kWindow, 0});
    if (claimed) return std::nullopt;
    return claimed.error();
}

void show_verdict(Session& s, const KeyVerdict& verdict) {
    if (s.command.json) {
        std::string body;
        json::Writer w(body);
        w.begin_object().member("matches", verdict.matches).member("stringToSign", verdict.canonical);
        w.key("findings").begin_array();
        for (const auto& finding : verdict.findings) w.string(finding);
        w.end_array().end_object();
        s.console.data(body + "\n");
        return;
    }
    if (!verdict.canonical.empty()) s.console.data("canonical string:\n" + visible(verdict.canonical) + "\n");
    if (verdict.matches)
        s.console.painted(Paint::good, "the signature matches");
    else
        s.console.painted(Paint::bad, "the node would refuse it");
    for (const auto& finding : verdict.findings) s.console.line(finding);
}

}  // namespace

int run_keys_sign(Session& s) {
    int code = kDone;
    const auto request = request_of(s, code);
    if (!request) return code;
    const auto signer = signer_of(s, s.command.id, code);
    if (!signer) return code;
    std::string nonce = s.command.nonce;
    if (nonce.empty()) {
        std::array<std::uint8_t, kNonceBytes> bytes{};
        random_bytes(bytes);
        nonce = to_hex(bytes);
    }
    const std::string path = request->path(), query = request->query(), host = to_lower(request->host);
    const SignInput input{request->method, host, path, query, now_of(s), nonce, Sha256::of(request->body)};
    const auto canonical = string_to_sign(input);
    if (!canonical || !is_secret_id(signer->id)) {
        s.console.complain(canonical ? "holdfastctl: --id must be 1 to 64 of A-Za-z0-9_-"
                                     : "holdfastctl: the query of target is malformed");
        return kWrongUsage;
    }
    HmacSha256 mac(secret_of(signer->secret));
    const SignedFields fields = sign(input, signer->id, mac);
    if (const auto failure = refusal(input, fields)) {
        s.console.complain(fmt::format("holdfastctl: the node would refuse it: {}", message(*failure)));
        return kWrongUsage;
    }
    show_fields(s, *canonical, fields);
    return kDone;
}

int run_keys_verify(Session& s) {
    int code = kDone;
    const auto request = request_of(s, code);
    if (!request) return code;
    const auto signer = signer_of(s, secret_id_in(*request), code);
    if (!signer) return code;
    auto verdict = judge(*request, signer->secret, now_of(s), signer->window);
    if (!verdict.matches && !signer->previous.empty()) {
        auto other = judge(*request, signer->previous, now_of(s), signer->window);
        if (other.matches) verdict = std::move(other);
    }
    show_verdict(s, verdict);
    return verdict.matches ? kDone : kRefused;
}

}  // namespace holdfast::ctl
