// Certificates, keys and CAs, each fault at the key of the file that has it.
#include "edge/config_check.h"
#include "edge/net/tls_context.h"

namespace holdfast {
namespace {

// A key's own fault is told at the key, and beside it what else `made` has found.
template <typename Made>
void check_key_pair(ConfigCheck& c, const std::string& section, const std::string& key_file, const Made& made) {
    const auto key = check_key_file(key_file);
    if (!key) c.problems.error(c.at(section + ".key"), key.error(), "its private key, in PEM form");
    if (made || (!key && key.error().detail == made.error().detail)) return;
    c.problems.error(c.at(section + ".certificate"), made.error(), "a certificate that is valid now, and its key");
}

}  // namespace

void check_listener_tls(ConfigCheck& c) {
    auto& listen = c.draft.config.listen;
    for (auto* path : {&listen.certificate, &listen.key}) *path = resolve_file(c, *path, false);
    if (listen.certificate.empty() || listen.key.empty()) return;
    check_key_pair(c, "listen", listen.key, TlsServerContext::load({listen.certificate, listen.key, {}}, c.env.now));
}

void check_client_tls(ConfigCheck& c, const std::string& section, TlsFiles files) {
    for (auto* path : {&files.ca, &files.certificate, &files.key}) *path = resolve_file(c, *path, false);
    if (!files.ca.empty())
        if (const auto made = TlsClientContext::load({files.ca, {}, {}}, c.env.now); !made)
            c.problems.error(c.at(section + ".ca_file"), made.error());
    if (files.certificate.empty() || files.key.empty()) return;
    check_key_pair(c, section, files.key, TlsClientContext::load({{}, files.certificate, files.key}, c.env.now));
}

}  // namespace holdfast
