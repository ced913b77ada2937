// [gateway]: who may call as an Alipay SDK does, and what --check refuses.
#include <catch2/catch.hpp>

#include "edge/config.h"
#include "edge/config_prepare.h"
#include "tests/support/alipay_vectors.h"
#include "tests/support/config_folder.h"
#include "upstream/drop_in.h"

using namespace holdfast;
using support::ConfigFolder;
namespace av = holdfast::alipay_vectors;

namespace {

const std::string kKey = "signing_key_file = \"edge.pem\"\n";
const std::string kApp = "[[gateway.app]]\napp_id = \"2021000000000002\"\ncredential = \"app\"\n";
const std::string kAppKey = "public_key_file = \"shop.pem\"\n";

struct GatewaySite : ConfigFolder {
    GatewaySite() {
        write("app.pem", av::key("app_private_pkcs8"));
        write("alipay.pem", av::key("alipay_public"));
        write("edge.pem", av::key("other_private_pkcs1"));
        write("shop.pem", av::key("app_public"));
    }
    static std::string text(const std::string& gateway, const std::string& alipay = "") {
        return shortest() +
               "[upstream]\nkind = \"alipay\"\n[upstream.alipay]\napp_id = \"1\"\nprivate_key_file = \"app.pem\"\n"
               "alipay_public_key_file = \"alipay.pem\"\n" +
               alipay + "[gateway]\n" + gateway;
    }
    ConfigOutcome with(const std::string& gateway, const std::string& alipay = "") const {
        return load(text(gateway, alipay));
    }
};

// openssl genrsa 1024: throwaway keys made for this file.
constexpr const char* kShortKey = R"(-----BEGIN PRIVATE KEY-----
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAL0kh4kncs1aXi2A
IgfBx21DgDPzeuQGh8ak9Buet0VUNt8ZkJFxi/kxhrWgRMSH8otgcqi1MJTpjT0c
ZaH7VZwWDq++taZo0yk6rUfKkWh/oAt58UpipX8XxJ94ylodCG5YbLwhVgsqZ3nZ
WsoxBSUYoL3WUXMyoexpYfHZotJ9AgMBAAECgYBS9xIIpGgkEY6b8Md8lZBvqhsz
LorqOL8X8EUvVFhZrc3/4IvccG0QmpvXUXy4pFVMs7q3q/qqZyPP+YPPIJr1AlrU
NuORp4pjdtwjaJssrBipr4cU9xjMcy38oTfDvEenxBkWlOLMzeMxLTUR+d9QeHMX
jElTysFjnd7vNuoqgQJBAN9naAu8pE3PiATQDmU5zRCkt8vbV0MxWgJolfH3DIKc
6WmxnhIA7kYM3MukH3TEJ5+lCqJ5xnrG05s/1VZOd90CQQDYvWVNggUdUfy6TE5l
k9TBHvxMvD4RbhNTlfDm2PVZ/KFeibkDDr8BpwCcaxzpElCEMudiUfqjfOTAZXqi
XGshAkEAvaxz4BMnhJDAsSVcM4Fho9HV4pS1f+z0uLrHJApWasaCPiR5SlvT8VGW
XKdZta+c3KQpZUzywObyXgtSO9afWQJAMLlbJbJ+DdpZk1QGJ8W1BXk+xM1osqhp
RdgmYO8TMRie+k7BvdM501hExeU6iZbpbN64r5y4WLqB/lKR4CAgoQJAdMc8G6JK
cf+Sz8MVwjKVn36oLzksGyJfB1Yqk/uQjEJjvBLLpmKS1sIL7bBpjzGP7FxJL1hk
ePhFWKXoRKFi4w==
-----END PRIVATE KEY-----
)";
constexpr const char* kShortPublicKey = R"(-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC9JIeJJ3LNWl4tgCIHwcdtQ4Az
83rkBofGpPQbnrdFVDbfGZCRcYv5MYa1oETEh/KLYHKotTCU6Y09HGWh+1WcFg6v
vrWmaNMpOq1HypFof6ALefFKYqV/F8SfeMpaHQhuWGy8IVYLKmd52VrKMQUlGKC9
1lFzMqHsaWHx2aLSfQIDAQAB
-----END PUBLIC KEY-----
)";

}  // namespace

TEST_CASE("config: a gateway reads calls by the inverse of the upstream's mapping") {
    const GatewaySite site;
    const auto outcome = site.with(kKey + kApp + kAppKey + "utc_offset = \"-03:30\"\n");
    INFO(render_all(outcome));
    REQUIRE(outcome.config);
    const auto& made = outcome.config->gateway.settings;
    REQUIRE(made);
    REQUIRE(made->request.fields.size() == 4);
    CHECK(made->request.fields[0].name == "evidence.image");
    CHECK(made->request.fields[0].source == "face_image");
    CHECK(made->request.fields[1].source == "outer_order_no");
    const DropInApp* app = made->app("2021000000000002");
    REQUIRE(app != nullptr);
    CHECK(app->credential == "app");
    CHECK(app->utc_offset == -(3h + 30min));
    CHECK(*app->key == *rsa2::PublicKey::parse(av::key("app_public")));
    CHECK_FALSE(made->refusal(DropInFault::invalid_signature, true).empty());
    CHECK(made->app("1") == nullptr);
    const auto again = parse_config(dump_config(*outcome.config), site.file("again.toml"), site.environment());
    INFO(render_all(again));
    REQUIRE(again.config);
    CHECK(again.config->gateway.settings);
}

TEST_CASE("config: another key of a gateway makes another configuration") {
    const GatewaySite site;
    const std::string text = kKey + kApp + kAppKey;
    const auto before = site.with(text);
    site.write("shop.pem", av::key("other_public"));
    const auto after = site.with(text);
    REQUIRE(before.config);
    REQUIRE(after.config);
    CHECK(before.config->hash != after.config->hash);
    const auto& followed = after.config->secret_files;
    CHECK(std::find(followed.begin(), followed.end(), site.file("shop.pem")) != followed.end());
}

TEST_CASE("config: another key of Alipay, or of ours, waits for a restart, for the gateway as for all else") {
    const GatewaySite site;
    const std::string gateway = kKey + kApp + kAppKey;
    const auto running = site.with(gateway);
    REQUIRE(running.config);
    const std::string key = "upstream.alipay.";
    for (const auto& [leaf, file, other, as_before] :
         {std::tuple("alipay_public_key_file", "alipay.pem", "other_public", "alipay_public"),
          {"private_key_file", "app.pem", "app_private_pkcs1", "app_private_pkcs8"}}) {
        site.write(file, av::key(other));
        const auto texts = texts_of(site.file("holdfast.toml"), GatewaySite::text(gateway));
        const PreparedConfig made = prepare_config(texts, site.environment(), *running.config);
        INFO(render_all(made.outcome));
        REQUIRE(made.ok());
        CHECK(made.restart_needed == std::vector{key + leaf});
        CHECK(made.changed.empty());
        const Config& next = *made.outcome.config;
        CHECK(next.hash == running.config->hash);
        CHECK(next.upstream.options.alipay == running.config->upstream.options.alipay);
        CHECK(next.gateway.settings->apps.front().settings == running.config->upstream.options.alipay);
        CHECK(std::count(next.secret_files.begin(), next.secret_files.end(), site.file(file)) == 1);  // followed
        // The next reload says so again, until the restart or until the file is as it was.
        CHECK(prepare_config(texts, site.environment(), next).restart_needed == std::vector{key + leaf});
        site.write(file, av::key(as_before));
        CHECK(prepare_config(texts, site.environment(), next).restart_needed.empty());
    }
    site.write("alipay.pem", "no key");
    CHECK_FALSE(prepare_config(texts_of(site.file("holdfast.toml"), GatewaySite::text(gateway)), site.environment(),
                               *running.config)
                    .ok());
}

TEST_CASE("config: an app may have a key of Alipay's of its own") {
    const GatewaySite site;
    site.write("theirs.pem", av::key("other_public"));
    const auto outcome = site.with(kKey + kApp + kAppKey + "alipay_public_key_file = \"theirs.pem\"\n");
    INFO(render_all(outcome));
    REQUIRE(outcome.config);
    const auto& settings = *outcome.config->gateway.settings->apps.front().settings;
    REQUIRE(settings.verifiers.size() == 1);
    CHECK(settings.verifiers[0].key == *rsa2::PublicKey::parse(av::key("other_public")));
}

TEST_CASE("config: what is wrong with a gateway is named, with its place") {
    const GatewaySite site;
    site.write("short.pem", kShortKey);
    site.write("short-public.pem", kShortPublicKey);
    const std::string whole = kKey + kApp + kAppKey;
    struct Case {
        std::string gateway, said, alipay;
    };
    const Case cases[] = {
        {kApp + kAppKey, "gateway.signing_key_file is missing", ""},
        {kKey, "gateway.app is missing", ""},
        {"signing_key_file = \"short.pem\"\n" + kApp + kAppKey, "1024 bits", ""},
        {"signing_key_file = \"app.pem\"\n" + kApp + kAppKey, "is upstream.alipay.private_key_file", ""},
        {"signing_key_file = \"nowhere\"\n" + kApp + kAppKey, "nowhere", ""},
        {kKey + kApp, "gateway.app[0].public_key_file is missing", ""},
        {kKey + kApp + "public_key_file = \"short-public.pem\"\n", "1024 bits", ""},
        {kKey + kApp + "public_key_file = \"alipay.pem\"\n", "is Alipay's key, not the app's", ""},
        {kKey + "[[gateway.app]]\ncredential = \"app\"\n" + kAppKey, "gateway.app[0].app_id is missing", ""},
        {kKey + "[[gateway.app]]\napp_id = \"2\"\ncredential = \"nobody\"\n" + kAppKey, "names no [[credential]]", ""},
        {whole + kApp + kAppKey, "gateway.app[1].app_id is there twice", ""},
        {whole + "utc_offset = \"+25:00\"\n", "utc_offset is no offset", ""},
        {kKey + "provisional = \"F\"\n" + kApp + kAppKey, "provisional is listed as a fail", ""},
        {kKey + "provisional = \"T\"\n" + kApp + kAppKey, "provisional is listed as a pass", ""},
        {kKey + "request = { orderNo = \"a\", scene = \"=LOGIN\" }\n" + kApp + kAppKey, "has no subject", ""},
        {kKey + "request = { order = \"a\" }\n" + kApp + kAppKey, "has a field order", ""},
        {kKey + "request = { subject = \"a.b.c\" }\n" + kApp + kAppKey, "takes subject from a.b.c", ""},
        {kKey + "misspelt = 1\n" + kApp + kAppKey, "unknown key gateway.misspelt", ""},
        {whole, "serves protocol = \"v2\" only", "protocol = \"v3\"\n"},
        {whole, "serves no API that takes a file",
         "method = \"datadigital.fincloud.generalsaas.face.source.certify\"\n"},
        {whole, "has no scene", "method = \"alipay.user.certify.open.query\"\n"},
    };
    for (const auto& [gateway, said, alipay] : cases) {
        const auto outcome = site.with(gateway, alipay);
        INFO(gateway << alipay << render_all(outcome));
        CHECK_FALSE(outcome.config);
        CHECK(render_all(outcome).find(said) != std::string::npos);
        REQUIRE_FALSE(outcome.errors.empty());
        CHECK(outcome.errors.front().line > 0);
    }
}

TEST_CASE("config: a gateway needs an Alipay upstream") {
    const GatewaySite site;
    const auto outcome = site.load(ConfigFolder::shortest() + "[gateway]\n" + kKey + kApp + kAppKey);
    CHECK_FALSE(outcome.config);
    CHECK(render_all(outcome).find("[gateway] goes with upstream.kind = \"alipay\" only") != std::string::npos);
    const auto empty = site.load(ConfigFolder::shortest() + "[gateway]\nprovisional = \"\"\n");
    REQUIRE(empty.config);
    CHECK_FALSE(empty.config->gateway.settings);
}
