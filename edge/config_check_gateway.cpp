// What [gateway] means: who may call POST /gateway.do, its keys, and how a call is read.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/config_check.h"
#include "upstream/drop_in.h"

namespace holdfast {
namespace {

constexpr std::string_view kTargets = "orderNo, scene, subject, device, evidence.image, evidence.feature, "
                                      "evidence.featureModel or attributes.NAME";

// "+08:00"; nothing for anything else, and beyond what any place on earth has.
std::optional<Nanos> parse_utc_offset(std::string_view text) {
    const auto digit = [&text](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
    if (!digit(1) || !digit(2) || !digit(4) || !digit(5)) return std::nullopt;
    const auto two = [&text](std::size_t i) { return (text[i] - '0') * 10 + (text[i + 1] - '0'); };
    const std::chrono::minutes away(two(1) * 60 + two(4));
    if (two(4) > 59 || away > std::chrono::hours(14)) return std::nullopt;
    return text[0] == '-' ? -Nanos(away) : Nanos(away);
}

bool is_target(std::string_view name) {
    return !name.starts_with('=') && is_alipay_source(name);
}

struct GatewayChecker {
    ConfigCheck& c;
    GatewayConfig& config = c.draft.config.gateway;
    std::shared_ptr<DropInSettings> settings = std::make_shared<DropInSettings>();  // owners: as GatewayConfig says
    std::string files;  // the bytes of all of them

    void error(const std::string& key, const std::string& what, const std::string& expected) {
        c.problems.error(c.at(key), key + " " + what, expected);
    }

    void request(const AlipaySettings& alipay) {
        settings->request = inverted(alipay.request);
        settings->constants = constants_of(alipay.request);
        if (!config.request.empty()) {
            settings->request.fields.clear();
            settings->constants.clear();
        }
        for (const auto& [name, source] : config.request) {
            if (!is_target(name))
                error("gateway.request", fmt::format("has a field {}", name), std::string(kTargets));
            const bool constant = source.starts_with('=') && source.size() > 1;
            const auto dots = std::count(source.begin(), source.end(), '.');
            const bool plain = !source.empty() && source.front() != '=' && dots < 2;
            if (!constant && !plain)
                error("gateway.request", fmt::format("takes {} from {}", name, source),
                      "a field of biz_content with at most one dot, or =constant");
            settings->request.fields.push_back({name, source});
        }
        for (const std::string_view needed : {"orderNo", "scene", "subject"})
            if (std::none_of(settings->request.fields.begin(), settings->request.fields.end(),
                             [needed](const AlipayField& f) { return f.name == needed; }))
                error("gateway.request", fmt::format("has no {}", needed),
                      "where orderNo, scene and subject come from: upstream.alipay.request does not say it");
    }

    void names(const AlipaySettings& alipay) {
        if (config.signing_key_file.empty() && !c.is_unread("gateway.signing_key_file"))
            error("gateway.signing_key_file", "is missing", "the file of the key that signs degraded answers");
        if (config.apps.empty()) error("gateway.app", "is missing", "at least one [[gateway.app]]");
        if (alipay.protocol == AlipayProtocol::v3)
            error("gateway", "serves protocol = \"v2\" only", "upstream.alipay.protocol = \"v2\"");
        if (!alipay.request.file_field.empty())
            error("gateway", "serves no API that takes a file", "another upstream.alipay.method, or no [gateway]");
        if (alipay.cipher || !c.draft.config.upstream.alipay.content_key_file.empty())
            error("gateway", "serves no encrypted contents", "no upstream.alipay.content_key_file, or no [gateway]");
        const auto own = [this](const std::vector<std::string>& values, std::string_view what) {
            if (std::find(values.begin(), values.end(), config.provisional) == values.end()) return;
            if (!config.provisional.empty())
                error("gateway.provisional", fmt::format("is listed as a {}", what), "a value of its own, or \"\"");
        };
        own(alipay.response.pass, "pass");
        own(alipay.response.fail, "fail");
    }

    void apps() {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < config.apps.size(); ++i) {
            GatewayAppConfig& app = config.apps[i];
            const std::string key = fmt::format("gateway.app[{}]", i);
            if (!app.app_id.empty() && !is_secret_id(app.app_id))
                error(key + ".app_id", "is no app id", "letters and digits");
            if (!app.app_id.empty() && !seen.insert(app.app_id).second)
                error(key + ".app_id", "is there twice", "each app once");
            const auto& known = c.draft.config.credentials;
            if (!app.credential.empty() && std::none_of(known.begin(), known.end(), [&app](const CredentialSpec& one) {
                    return one.id == app.credential;
                }))
                error(key + ".credential", fmt::format("names no [[credential]]: {}", app.credential),
                      "the id of one of them");
            const auto offset = parse_utc_offset(app.utc_offset);
            if (!offset && !app.utc_offset.empty())
                error(key + ".utc_offset", "is no offset", "such as \"+08:00\"");
            DropInApp made;
            made.app_id = app.app_id;
            made.credential = app.credential;
            made.utc_offset = offset.value_or(8h);
            settings->apps.push_back(std::move(made));
        }
    }

    std::optional<rsa2::PublicKey> public_key(const std::string& key, std::string& path) {
        path = resolve_file(c, path, false);
        c.draft.config.secret_files.push_back(path);  // followed like one: a new key takes effect by itself
        const auto text = read_config_file(path);
        auto parsed = text ? rsa2::PublicKey::parse(*text) : Result<rsa2::PublicKey>(tl::unexpected(text.error()));
        if (!parsed) {
            c.problems.error(c.at(key), fmt::format("{}: {} {}", key, path, parsed.error().detail),
                             "an RSA public key of 2048 bits or more");
            return std::nullopt;
        }
        files += fmt::format("{}:{}", text->size(), *text);
        return std::move(*parsed);
    }

    void own_key() {
        auto text = read_secret_file(c, "gateway.signing_key_file", config.signing_key_file, rsa2::kKeyTextMax);
        if (!text) return;
        auto key = rsa2::PrivateKey::parse(*text);
        if (!key) {
            c.problems.error(
                c.at("gateway.signing_key_file"),
                fmt::format("gateway.signing_key_file: {} {}", config.signing_key_file, key.error().detail),
                "an RSA private key of 2048 bits or more");
            return;
        }
        files += fmt::format("{}:{}", text->size(), *text);
        const auto& alipay = *c.draft.config.upstream.options.alipay;
        if (alipay.key && key->public_half() == alipay.key->public_half())
            error("gateway.signing_key_file", "is upstream.alipay.private_key_file",
                  "a key of its own: whoever trusts it must not thereby trust calls to Alipay");
        settings->key = std::move(*key);
    }

    void app_keys(std::size_t i) {
        GatewayAppConfig& app = config.apps[i];
        const std::string key = fmt::format("gateway.app[{}]", i);
        const auto& alipay = c.draft.config.upstream.options.alipay;
        std::optional<rsa2::PublicKey> own;
        if (!app.public_key_file.empty()) own = public_key(key + ".public_key_file", app.public_key_file);
        if (own) {
            for (const AlipayVerifier& theirs : alipay->verifiers)
                if (theirs.key == *own)
                    error(key + ".public_key_file", "is Alipay's key, not the app's", "the app's public key");
            settings->apps[i].key = std::make_shared<const rsa2::PublicKey>(std::move(*own));
        }
        settings->apps[i].settings = alipay;
        if (app.alipay_public_key_file.empty()) return;
        auto theirs = public_key(key + ".alipay_public_key_file", app.alipay_public_key_file);
        if (!theirs) return;
        auto of_app = std::make_shared<AlipaySettings>(*alipay);  // owners: as DropInApp says
        of_app->verifiers = {{"", std::move(*theirs)}};
        settings->apps[i].settings = std::move(of_app);
    }
};

}  // namespace

void check_gateway(ConfigCheck& c) {
    const GatewayConfig& given = c.draft.config.gateway;
    const bool named = !given.signing_key_file.empty() || !given.provisional.empty();
    if (!named && given.request.empty() && given.apps.empty()) return;
    if (c.draft.config.upstream.kind != "alipay") {
        c.problems.error(c.at("gateway"), "[gateway] goes with upstream.kind = \"alipay\" only",
                         "kind = \"alipay\" in [upstream], or no [gateway]");
        return;
    }
    const auto alipay = c.draft.config.upstream.options.alipay;
    if (!alipay) return;
    GatewayChecker check{c};
    check.settings->method = alipay->method;
    check.settings->provisional = check.config.provisional;
    check.names(*alipay);
    check.request(*alipay);
    check.apps();
    check.config.settings = std::move(check.settings);
}

void read_gateway_files(ConfigCheck& c) {
    auto& config = c.draft.config.gateway;
    if (!config.settings) return;
    GatewayChecker check{c};
    *check.settings = *config.settings;
    if (!config.signing_key_file.empty()) check.own_key();
    for (std::size_t i = 0; i < config.apps.size(); ++i) check.app_keys(i);
    if (c.problems.failed() || !check.settings->key) return;
    check.settings->sign_refusals();
    config.files = to_hex(Sha256::of(check.files));
    config.settings = std::move(check.settings);
}

}  // namespace holdfast
