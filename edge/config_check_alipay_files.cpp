// The keys, certificates and other files of [upstream.alipay], read and judged.
#include <fmt/format.h>

#include "edge/base/file.h"
#include "edge/config_check.h"
#include "upstream/alipay_settings.h"

namespace holdfast {
namespace {

// Reads and judges the files; `settings` is completed by it.
struct AlipayFiles {
    ConfigCheck& c;
    AlipayConfig& config;
    AlipaySettings& settings;

    template <typename Parse>
    bool read(const std::string& leaf, std::string& path, bool secret, std::size_t bytes_max, Parse parse) {
        if (path.empty()) return false;
        const std::string key = "upstream.alipay." + leaf;
        std::string text;
        if (secret) {
            auto bytes = read_secret_file(c, key, path, bytes_max);
            if (!bytes) return false;
            text = std::move(*bytes);
        } else {
            path = resolve_file(c, path, false);
            c.draft.config.secret_files.push_back(path);  // followed like one: a reload tells that it waits for a start
            auto bytes = read_regular_file(path, bytes_max);
            if (!bytes) {
                c.problems.error(c.at(key), fmt::format("{}: {} cannot be read: {}", key, path, bytes.error().detail),
                                 "a file that the node can read");
                return false;
            }
            text = std::move(*bytes);
        }
        Result<void> done = parse(text);
        if (!done) {
            Error fault = done.error();
            fault.detail = fmt::format("{}: {} {}", key, path, fault.detail);
            c.problems.error(c.at(key), fault);
        }
        return done.has_value();
    }

    Result<void> dates(const rsa2::Certificate& certificate) {
        if (c.env.now >= certificate.not_before && c.env.now < certificate.not_after) return {};
        return fail(Code::outdated, Origin::local, "is not valid now: the clock says " + rfc3339(c.env.now));
    }

    void certificates() {
        read("app_cert_file", config.app_cert_file, false, rsa2::kKeyTextMax,
             [this](const std::string& t) -> Result<void> {
                 auto certificate = rsa2::read_certificate(t);
                 if (!certificate) return tl::unexpected(certificate.error());
                 if (settings.key && !(certificate->key == settings.key->public_half()))
                     return fail(Code::invalid, Origin::local, "does not belong to private_key_file");
                 settings.app_cert_sn = certificate->sn;
                 return dates(*certificate);
             });
        read("alipay_cert_file", config.alipay_cert_file, false, rsa2::kKeyTextMax,
             [this](const std::string& t) -> Result<void> {
                 auto certificate = rsa2::read_certificate(t);
                 if (!certificate) return tl::unexpected(certificate.error());
                 if (settings.key && certificate->key == settings.key->public_half())
                     return fail(Code::invalid, Origin::local, "is our own certificate, not Alipay's");
                 settings.verifiers.push_back({certificate->sn, certificate->key});
                 return dates(*certificate);
             });
        read("alipay_root_cert_file", config.alipay_root_cert_file, false,
             rsa2::kKeyTextMax * rsa2::kBundleCertificatesMax, [this](const std::string& t) -> Result<void> {
                 auto sn = rsa2::root_sn(t);
                 if (!sn) return tl::unexpected(sn.error());
                 settings.root_cert_sn = std::move(*sn);
                 return {};
             });
    }

    void all() {
        read("private_key_file", config.private_key_file, true, rsa2::kKeyTextMax,
             [this](const std::string& t) -> Result<void> {
                 auto key = rsa2::PrivateKey::parse(t);
                 if (!key) return tl::unexpected(key.error());
                 settings.key = std::move(*key);
                 return {};
             });
        read("alipay_public_key_file", config.alipay_public_key_file, false, rsa2::kKeyTextMax,
             [this](const std::string& t) -> Result<void> {
                 auto key = rsa2::PublicKey::parse(t);
                 if (!key) return tl::unexpected(key.error());
                 if (settings.key && *key == settings.key->public_half())
                     return fail(Code::invalid, Origin::local, "is our own key, not Alipay's");
                 settings.verifiers.push_back({"", std::move(*key)});
                 return {};
             });
        certificates();
        read("content_key_file", config.content_key_file, true, 256, [this](const std::string& t) -> Result<void> {
            auto cipher = rsa2::ContentCipher::make(t);
            if (!cipher) return tl::unexpected(cipher.error());
            settings.cipher = std::move(*cipher);
            return {};
        });
        read("app_auth_token_file", config.app_auth_token_file, true, 512, [this](std::string t) -> Result<void> {
            while (!t.empty() && (t.back() == '\n' || t.back() == '\r')) t.pop_back();
            if (!made_of(t, "._-~+/=")) return fail(Code::invalid, Origin::local, "is no token");
            settings.app_auth_token = std::move(t);
            return {};
        });
    }
};

}  // namespace

void read_alipay_files(ConfigCheck& c) {
    auto& upstream = c.draft.config.upstream;
    if (!upstream.options.alipay) return;
    auto settings = std::make_shared<AlipaySettings>(*upstream.options.alipay);  // owners: as UpstreamOptions says
    AlipayFiles{c, upstream.alipay, *settings}.all();
    // What a start has read goes on with the rest of its keys, which the running configuration has all.
    const bool goes_on = c.running != nullptr && c.running->upstream.options.alipay != nullptr;
    upstream.options.alipay = goes_on ? c.running->upstream.options.alipay : std::move(settings);
}

}  // namespace holdfast
