// doctor: secrets and who can read them, keys that were taken for one another, certificates and their dates.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

#include "edge/ctl/doctor.h"
#include "edge/net/tls_context.h"
#include "upstream/drop_in.h"

namespace holdfast::ctl {
namespace {

constexpr auto kSoon = std::chrono::hours(24 * 14);

void check_secret(Checks& out, const std::string& what, const std::string& path) {
    struct stat st {};
    if (::stat(path.c_str(), &st) != 0)
        return out.push_back({"keys", what, Finding::bad, path + ": " + std::strerror(errno), "the path, or the file"});
    const bool open = (st.st_mode & 04) != 0, loose = (st.st_mode & 022) != 0;
    out.push_back({"keys", what, open || loose ? Finding::bad : Finding::good,
                   fmt::format("{} ({:04o}){}", path, st.st_mode & 07777,
                               open    ? ": everybody can read it"
                               : loose ? ": others than its owner can write it"
                                       : ""),
                   open || loose ? "chmod 0640 " + path : ""});
}

std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string text;
    for (char c; text.size() <= rsa2::kKeyTextMax && in.get(c);) text += c;
    return text;
}

// Every setting that names a file of a secret.
bool names_secret(std::string_view key) {
    for (const std::string_view end :
         {"secret_file", "key_file", "password_file", "token_file", "listen.key", "upstream.key"})
        if (key.ends_with(end) && !key.ends_with("public_key_file")) return true;
    return false;
}

// Every setting that names a file which the node reads.
bool names_file(std::string_view key) {
    if (names_secret(key)) return true;
    for (const std::string_view end : {"_file", ".certificate", "source.key", "coordination.key", "registration.key"})
        if (key.ends_with(end)) return true;
    return false;
}

// Relative names stand for files beside the configuration.
std::string beside(const Config& config, std::string path) {
    if (path.empty() || path.front() == '/') return path;
    const auto slash = config.source.rfind('/');
    return slash == std::string::npos ? path : config.source.substr(0, slash + 1) + path;
}

// What is wrong with an app's keys, and what to do; empty: nothing. Callers' keys are public: who could write them
// could call as the app, or answer as Alipay.
std::pair<std::string, std::string> fault_of(const GatewayAppConfig& app, const DropInApp& keys,
                                             const DropInSettings& gateway, const AlipaySettings& own) {
    for (const std::string& path : {app.public_key_file, app.alipay_public_key_file}) {
        struct stat st {};
        if (!path.empty() && ::stat(path.c_str(), &st) == 0 && (st.st_mode & 022) != 0)
            return {path + ": others than its owner can write it", "chmod 0644 " + path};
    }
    const rsa2::PublicKey edge = gateway.key->public_half();
    if (*keys.key == edge)
        return {app.public_key_file + " is the node's own key, gateway.signing_key_file",
                "the public key of the app, as its owner has uploaded it at Alipay"};
    if (app.alipay_public_key_file.empty()) return {};
    const std::string console = "in the app's console: \"Alipay public key\", not \"application public key\"";
    for (const AlipayVerifier& theirs : keys.settings->verifiers) {
        if (theirs.key == *keys.key)
            return {app.alipay_public_key_file + " is the app's own public key, not Alipay's: no answer will verify",
                    console};
        if (theirs.key == edge || theirs.key == own.key->public_half())
            return {app.alipay_public_key_file + " is a key of this node, not Alipay's: no answer will verify",
                    console};
    }
    return {};
}

void check_alipay_certificate(Checks& out, const std::string& what, const std::string& path, WallTime now) {
    if (path.empty()) return;
    const auto certificate = rsa2::read_certificate(content(path));
    if (!certificate)
        return out.push_back(
            {"certificates", what, Finding::bad, path + ": " + certificate.error().detail, "the file"});
    const Nanos left = certificate->not_after - now;
    const bool over = left <= Nanos(0) || now < certificate->not_before;
    out.push_back({"certificates", what,
                   over           ? Finding::bad
                   : left < kSoon ? Finding::doubtful
                                  : Finding::good,
                   fmt::format("{} is valid from {} until {}", path, rfc3339(certificate->not_before),
                               rfc3339(certificate->not_after)),
                   over || left < kSoon ? "a new one from Alipay's console; then restart" : ""});
}

}  // namespace

void check_gateway_keys(Checks& out, const Config& config) {
    const auto& gateway = config.gateway.settings;
    const auto& alipay = config.upstream.options.alipay;
    if (!gateway || !alipay) return;
    const std::string probe = "holdfastctl doctor";
    const bool signs = gateway->key->public_half().verify(probe, gateway->key->sign(probe));
    out.push_back({"keys", "gateway: signing key", signs ? Finding::good : Finding::bad,
                   fmt::format("{}: {} bits{}", config.gateway.signing_key_file, gateway->key->bits(),
                               signs ? "; callers have its public half" : ", and it does not verify what it signs"),
                   signs ? "" : "another key: openssl genrsa 2048"});
    for (std::size_t i = 0; i < config.gateway.apps.size(); ++i) {
        const GatewayAppConfig& app = config.gateway.apps[i];
        auto [fault, fix] = fault_of(app, gateway->apps[i], *gateway, *alipay);
        const bool good = fault.empty();
        out.push_back({"keys", "gateway: app " + app.app_id, good ? Finding::good : Finding::bad,
                       good ? app.public_key_file + ", calls as " + app.credential : std::move(fault), std::move(fix)});
    }
}

void check_secrets(Checks& out, const Config& config) {
    for (const Config::Setting& one : config.settings) {
        if (!names_secret(one.key)) continue;
        const std::string path = beside(config, setting(config, one.key));
        if (!path.empty()) check_secret(out, one.key, path);
    }
}

void check_reader(Checks& out, const Config& config, const std::optional<NodeUser>& user) {
    if (!user) return;
    std::set<std::string> paths{config.source};
    for (const Config::Setting& one : config.settings)
        if (names_file(one.key)) paths.insert(beside(config, setting(config, one.key)));
    const std::string name = user->name.empty() ? fmt::format("user {}", user->uid) : user->name;
    std::string unreadable;
    for (const std::string& path : paths) {
        struct stat st {};
        if (path.empty() || ::stat(path.c_str(), &st) != 0) continue;
        const std::optional<bool> readable = can_read(*user, path);
        if (!readable)
            return out.push_back({"keys", "readable by " + name, Finding::skipped,
                                  "this process may not look as another user (no CAP_SETUID, CAP_SETGID)", ""});
        if (!*readable) unreadable.append(unreadable.empty() ? "" : ", ").append(path);
    }
    const bool all = unreadable.empty();
    out.push_back({"keys", "readable by " + name, all ? Finding::good : Finding::bad,
                   all ? "each file that the configuration names" : "not: " + unreadable,
                   all ? "" : fmt::format("chgrp {} FILE, and chmod 0640 FILE", user->gid)});
}

void check_alipay_keys(Checks& out, const Config& config) {
    const std::string own = beside(config, config.upstream.alipay.private_key_file);
    const std::string theirs = beside(config, config.upstream.alipay.alipay_public_key_file);
    if (own.empty() || theirs.empty()) return;
    const auto key = rsa2::PrivateKey::parse(content(own));
    if (!key)
        return out.push_back({"keys", "alipay: private key", Finding::bad, own + ": " + key.error().detail,
                              "PKCS#1 or PKCS#8, not encrypted"});
    const std::string text = content(theirs);
    const auto other = rsa2::PublicKey::parse(text);
    if (!other) {
        const bool secret = rsa2::PrivateKey::parse(text).has_value();
        return out.push_back({"keys", "alipay: public key", Finding::bad,
                              theirs + (secret ? " holds a PRIVATE key" : ": " + other.error().detail),
                              "the public key that Alipay's console shows as its own"});
    }
    const bool mixed = *other == key->public_half();
    out.push_back(
        {"keys", "alipay: public key", mixed ? Finding::bad : Finding::good,
         mixed ? theirs + " is the application's own public key, not Alipay's: no answer will verify" : theirs,
         mixed ? "in the console: \"Alipay public key\", not \"application public key\"" : ""});
}

void check_certificates(Checks& out, const Config& config, WallTime now) {
    if (config.listen.tls()) {
        const auto pair = TlsServerContext::load({config.listen.certificate, config.listen.key, ""}, now);
        if (!pair) {
            out.push_back(
                {"certificates", "listen", Finding::bad, pair.error().detail, "renew it, or put the pair right"});
        } else {
            const Nanos left = (*pair)->not_after() - now;
            const auto hours = std::chrono::duration_cast<std::chrono::hours>(left).count();
            out.push_back(
                {"certificates", "listen", left < kSoon ? Finding::doubtful : Finding::good,
                 fmt::format("valid until {}, {} left", rfc3339((*pair)->not_after()),
                             hours < 72 ? fmt::format("{} hours", hours) : fmt::format("{} days", hours / 24)),
                 left < kSoon ? "renew it; a reload takes it up" : ""});
        }
    } else {
        out.push_back({"certificates", "listen", Finding::good, "plain HTTP on a loopback address", ""});
    }
    const AlipayConfig& alipay = config.upstream.alipay;
    check_alipay_certificate(out, "alipay: of the app", beside(config, alipay.app_cert_file), now);
    check_alipay_certificate(out, "alipay: Alipay's", beside(config, alipay.alipay_cert_file), now);
    bool tls = false;
    for (const Endpoint& endpoint : config.upstream.options.endpoints) tls = tls || endpoint.tls;
    if (!tls) return;
    const auto client =
        TlsClientContext::load({config.upstream.ca_file, config.upstream.certificate, config.upstream.key}, now);
    out.push_back({"certificates", "upstream", client ? Finding::good : Finding::bad,
                   client ? (config.upstream.ca_file.empty() ? "the system's CAs" : config.upstream.ca_file)
                          : client.error().detail,
                   client ? "" : "upstream.ca_file, and certificate with key for mutual TLS"});
}

}  // namespace holdfast::ctl
