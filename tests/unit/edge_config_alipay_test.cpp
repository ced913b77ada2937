// [upstream.alipay]: what a site must say, what it may leave to the preset, and what --check refuses.
#include <catch2/catch.hpp>

#include "edge/config.h"
#include "tests/support/alipay_vectors.h"
#include "tests/support/config_folder.h"

using namespace holdfast;
using support::ConfigFolder;
namespace av = holdfast::alipay_vectors;

namespace {

struct Site : ConfigFolder {
    Site() {
        write("app.pem", av::key("app_private_pkcs8"));
        write("alipay.pem", av::key("alipay_public_key_base64"));
        write("app.crt", av::key("app_crt"));
        write("alipay.crt", av::key("alipay_crt"));
        write("root.crt", av::key("root_bundle"));
        write("aes.key", "AAECAwQFBgcICQoLDA0ODw==\n");
    }
    ConfigOutcome with(const std::string& alipay) const {
        return load(shortest() + "[upstream]\nkind = \"alipay\"\n[upstream.alipay]\n" + alipay);
    }
};

const std::string kIds = "app_id = \"2021000000000001\"\nprivate_key_file = \"app.pem\"\n";
const std::string kPlain = kIds + "alipay_public_key_file = \"alipay.pem\"\n";
const std::string kCertificates =
    "app_cert_file = \"app.crt\"\nalipay_cert_file = \"alipay.crt\"\nalipay_root_cert_file = \"root.crt\"\n";

const AlipaySettings& settings_of(const ConfigOutcome& outcome) {
    INFO(render_all(outcome));
    REQUIRE(outcome.config);
    REQUIRE(outcome.config->upstream.options.alipay);
    return *outcome.config->upstream.options.alipay;
}

}  // namespace

TEST_CASE("config: an Alipay upstream takes the mapping of its method") {
    const Site site;
    const auto outcome = site.with(kPlain);
    const AlipaySettings& s = settings_of(outcome);
    CHECK(s.key);
    CHECK(s.verifiers.size() == 1);
    CHECK(s.response.outcome == "passed");
    CHECK(s.response.fail == std::vector<std::string>{"F"});
    CHECK(s.request.fields.size() == 4);
    const auto query = site.with(kPlain + "method = \"alipay.user.certify.open.query\"\n");
    CHECK(settings_of(query).response.pending == std::vector<std::string>{"F"});
}

TEST_CASE("config: with a site's own outcomes the preset's pending stays, less what the site names otherwise") {
    const Site site;
    const auto response = [&site](const std::string& method, const std::string& own) {
        const std::string text = "method = \"" + method + "\"\n[upstream.alipay.response]\n" + own;
        const auto outcome = site.with(kPlain + text);
        return settings_of(outcome).response;
    };
    using Texts = std::vector<std::string>;
    const auto started = response("alipay.user.certify.open.initialize", "outcome = \"passed\"\npass = [\"Y\"]\n");
    CHECK(started.pass == Texts{"Y"});
    CHECK(started.fail.empty());
    CHECK(started.pending == Texts{""});
    CHECK(started.later);
    const auto query = response("alipay.user.certify.open.query", "pass = [\"T\"]\nfail = [\"N\"]\n");
    CHECK(query.fail == Texts{"N"});
    CHECK(query.pending == Texts{"F"});
    const auto waits = response("alipay.user.certify.open.query", "pending = [\"F\", \"\"]\n");
    CHECK(waits.pass == Texts{"T"});
    CHECK(waits.pending == Texts{"F", ""});
    // What a site adds takes nothing of the API's away.
    CHECK(response("alipay.user.certify.open.query", "pending = [\"WAIT\"]\n").pending == Texts{"F", "WAIT"});
    const std::string state = "datadigital.fincloud.generalsaas.face.verification.initialize";
    CHECK(response(state, "pending = [\"PROCESSING\", \"WAIT\"]\n").pending == Texts{"", "PROCESSING", "WAIT"});
    const auto plain = response("alipay.user.faceverify.verify", "pending = [\"F\"]\n");
    CHECK(plain.fail.empty());
    CHECK(plain.pending == Texts{"F"});
}

TEST_CASE("config: a site's own mapping takes the place of the preset's") {
    const Site site;
    const auto outcome =
        site.with(kPlain +
                  "method = \"some.other.api\"\n"
                  "content_key_file = \"aes.key\"\n"
                  "[upstream.alipay.request]\nno = \"orderNo\"\n\"who.name\" = \"attributes.name\"\n"
                  "kind = \"=FACE\"\n"
                  "[upstream.alipay.response]\noutcome = \"result\"\npass = [\"YES\"]\nfail = [\"NO\"]\n"
                  "pending = [\"\", \"WAIT\"]\nscore_max = 100\norder_no = \"no\"\n");
    const AlipaySettings& s = settings_of(outcome);
    CHECK(s.request.fields.size() == 3);
    CHECK(s.response.outcome == "result");
    CHECK(s.response.pass == std::vector<std::string>{"YES"});
    CHECK(s.response.score_max == 100);
    CHECK(s.response.order_no == "no");
    CHECK(s.cipher);
    const auto again = parse_config(dump_config(*outcome.config), site.file("again.toml"), site.environment());
    INFO(render_all(again));
    CHECK(again.config);
}

TEST_CASE("config: certificates take the place of the public key") {
    const Site site;
    const auto outcome = site.with(kIds + kCertificates);
    const AlipaySettings& s = settings_of(outcome);
    CHECK(s.app_cert_sn == av::key("app_cert_sn"));
    CHECK(s.root_cert_sn == av::key("alipay_root_cert_sn"));
    REQUIRE(s.verifiers.size() == 1);
    CHECK(s.verifiers[0].sn == av::key("alipay_cert_sn"));
    // Of roots a file may hold many, and is longer than that of a key.
    site.write("root.crt", std::string(rsa2::kKeyTextMax, '#') + "\n" + av::key("root_bundle"));
    const auto bundled = site.with(kIds + kCertificates);
    CHECK(settings_of(bundled).root_cert_sn == av::key("alipay_root_cert_sn"));
}

TEST_CASE("config: an Alipay upstream may have a shadow") {
    const Site site;
    const auto outcome = site.with(kPlain + "[upstream.mirror]\nurl = \"https://shadow.internal/gateway.do\"\n");
    settings_of(outcome);
    CHECK(outcome.config->upstream.options.mirror.url == "https://shadow.internal/gateway.do");
}

TEST_CASE("config: what is wrong with an Alipay upstream is named") {
    const Site site;
    site.write("short.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    site.write("own.pem", av::key("app_public"));
    site.write("other.pem", av::key("other_private_pkcs1"));
    const std::string id = "app_id = \"1\"\n", key = "private_key_file = \"app.pem\"\n";
    const std::string alipay = "alipay_public_key_file = \"alipay.pem\"\n";
    const std::pair<std::string, std::string> cases[] = {
        {key + alipay, "app_id is missing"},
        {"app_id = \"a b\"\n" + key + alipay, "app_id is no app id"},
        {id + alipay, "private_key_file is missing"},
        {id + key, "alipay_public_key_file is missing"},
        {id + key + alipay + kCertificates, "exclude each other"},
        {id + key + "app_cert_file = \"app.crt\"\n", "stands without the others"},
        {id + "private_key_file = \"short.pem\"\n" + alipay, "is no private key"},
        {id + "private_key_file = \"other.pem\"\n" + kCertificates, "does not belong to private_key_file"},
        {id + key + "alipay_public_key_file = \"own.pem\"\n", "is our own key"},
        {id + key + "alipay_public_key_file = \"nowhere\"\n", "cannot be read"},
        {id + key + "alipay_public_key_file = \"/dev/zero\"\n", "/dev/zero cannot be read: is not a regular file"},
        {kPlain + "method = \"no.preset\"\n", "not a known face API"},
        {id + key +
             "app_cert_file = \"app.crt\"\nalipay_cert_file = \"app.crt\"\nalipay_root_cert_file = \"root.crt\"\n",
         "is our own certificate"},
        {kPlain + "method = \"datadigital.fincloud.generalsaas.face.source.certify\"\ncontent_key_file = \"aes.key\"\n",
         "content_key_file encrypts nothing of a method that takes a file"},
        {kPlain + "method = \"x\"\ncontent_key_file = \"aes.key\"\nrequest_file = \"f=evidence.image\"\n",
         "content_key_file encrypts nothing of a method that takes a file"},
        {kPlain + "method = \"alipay.user.certify.open.query\"\n"
                  "[upstream.alipay.response]\npass = [\"T\"]\nfail = [\"F\"]\n",
         "response.fail lists \"F\", which alipay.user.certify.open.query also answers while nothing is decided"},
        {kPlain + "notify_url = \"ftp://x\"\n", "notify_url is no URL"},
        {kPlain + "notify_url = \"http://x/v1/notifications/central\"\n", "is where the other kind of centre notifies"},
        {kPlain + "protocol = \"v3\"\ncontent_key_file = \"aes.key\"\n", "serves v2 only"},
        {kPlain + "[upstream.alipay.request]\nx = \"evidence\"\n", "takes x from evidence"},
        {kPlain + "[upstream.alipay.request]\n\"a b\" = \"scene\"\n", "has a field a b"},
        {kPlain + "[upstream.alipay.response]\npass = [\"T\"]\nfail = [\"T\"]\n", "list \"T\" twice"},
        {kPlain + "[upstream.alipay.response]\nfail = [\"F\"]\n", "response.pass is missing"},
        {kPlain + "[upstream.alipay.response]\npass = [\"\"]\n", "only pending may"},
        {kPlain + "protocol = \"v3\"\n[upstream.mirror]\nurl = \"https://shadow.internal/x\"\n",
         "upstream.mirror.url: with protocol = \"v3\" the path is the API's"},
    };
    for (const auto& [text, said] : cases) {
        const auto outcome = site.with(text);
        INFO(text << render_all(outcome));
        CHECK_FALSE(outcome.config);
        CHECK(render_all(outcome).find(said) != std::string::npos);
        REQUIRE_FALSE(outcome.errors.empty());
        CHECK(outcome.errors.front().line > 0);
    }
}

TEST_CASE("config: the place of an endpoint of v3 that has a path is its own") {
    const Site site;
    const auto outcome = site.with(kPlain +
                                   "protocol = \"v3\"\n[[upstream.endpoint]]\nurl = \"https://two/path\"\n");
    REQUIRE(outcome.errors.size() == 1);
    CHECK(outcome.errors[0].message == "https://two/path: with protocol = \"v3\" the path is the API's");
    CHECK(outcome.errors[0].excerpt.find("two/path") != std::string::npos);
}

TEST_CASE("config: results that nobody would hear of are warned of") {
    const Site site;
    const std::string begins = kPlain + "method = \"alipay.user.certify.open.initialize\"\n";
    for (const auto& [text, warned] : {std::pair(begins, true),
                                       {begins + "notify_url = \"https://x/v1/notifications/alipay\"\n", false},
                                       {begins + "protocol = \"v3\"\n", false},
                                       {kPlain, false}}) {
        const auto outcome = site.with(text);
        settings_of(outcome);
        CHECK((render_all(outcome).find("come by notification") != std::string::npos) == warned);
    }
}
