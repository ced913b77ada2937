// Files that a configuration names, and the file itself, when they cannot serve.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "edge/config.h"
#include "tests/support/config_folder.h"
#include "tests/unit/net_certs.h"

using namespace holdfast;
using holdfast::support::ConfigFolder;

namespace {

// The first line of what is said.
std::string first(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

std::string shortest_with(const std::string& from, const std::string& to) {
    std::string out = ConfigFolder::shortest();
    const auto at = out.find(from);
    REQUIRE(at != std::string::npos);
    return out.replace(at, from.size(), to);
}

std::string said(const std::string& more) {
    ConfigEnvironment env;
    env.check_files = false;
    return render_all(parse_config(ConfigFolder::shortest() + more, "f", env));
}

std::string said_about(const ConfigOutcome& outcome, const ConfigFolder& folder) {
    std::string text = render_all(outcome);
    const std::string prefix = folder.file("");
    for (std::size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
}

}  // namespace

TEST_CASE("config errors: secrets and keys that cannot serve") {
    const ConfigFolder folder;
    folder.write("app.secret", "short\n");
    folder.write("cache.key", std::string(32, 'k') + "\n");
    CHECK(said_about(folder.load(ConfigFolder::shortest()), folder) ==
          "holdfast.toml:7:15: error: credential[0].secret_file: the secret has 5 bytes\n"
          "  7 | secret_file = \"app.secret\"\n"
          "    |               ^\n"
          "  expected 16 to 4096 bytes, one final newline not counted\n"
          "holdfast.toml:10:12: error: cache.key_file: cache.key has 33 bytes\n"
          "  10 | key_file = \"cache.key\"\n"
          "     |            ^\n"
          "  expected exactly 32 bytes, a final newline counted\n"
          "  head -c 32 /dev/urandom > cache.key\n");
    std::filesystem::remove(folder.file("app.secret"));
    CHECK(first(said_about(folder.load(ConfigFolder::shortest()), folder)) ==
          "holdfast.toml:7:15: error: credential[0].secret_file: app.secret: No such file or directory");
}

TEST_CASE("config errors: a secret that everybody can read is a warning") {
    const ConfigFolder folder;
    REQUIRE(::chmod(folder.file("app.secret").c_str(), 0644) == 0);
    const auto outcome = folder.load(ConfigFolder::shortest());
    CHECK(outcome.config);
    CHECK(said_about(outcome, folder) ==
          "holdfast.toml:7:15: warning: credential[0].secret_file: everybody can read app.secret\n"
          "  7 | secret_file = \"app.secret\"\n"
          "    |               ^\n"
          "  chmod o-rwx app.secret\n");
}

TEST_CASE("config errors: a certificate and a key that do not belong together") {
    const ConfigFolder folder;
    testing::TestCa ca;
    ca.issue("a", "DNS:edge.test");
    ca.issue("b", "DNS:edge.test");
    ca.issue("old", "DNS:edge.test", -7200, -3600);
    const auto with = [&ca](const std::string& cert, const std::string& key) {
        return shortest_with("[node]",
                             "certificate = \"" + ca.path(cert) + "\"\nkey = \"" + ca.path(key) + "\"\n[node]");
    };
    CHECK(folder.load(with("a.pem", "a.key")).config);
    for (const auto& [cert, key] : {std::pair{"a.pem", "b.key"}, {"nowhere.pem", "a.key"}, {"old.pem", "old.key"}}) {
        const auto outcome = folder.load(with(cert, key));
        INFO(cert << " " << key);
        REQUIRE(outcome.errors.size() == 1);
        CHECK(outcome.errors[0].line == 3);
        CHECK(outcome.errors[0].message.find(ca.path("")) != std::string::npos);
    }
    const auto upstream =
        folder.load(ConfigFolder::shortest() + "[upstream]\nca_file = \"" + ca.path("a.key") + "\"\n");
    REQUIRE(upstream.errors.size() == 1);
    CHECK(upstream.errors[0].line == 15);
}

TEST_CASE("config errors: sets are read before a rule relies on them") {
    const ConfigFolder folder;
    const std::string rule = "[[precheck]]\nname = \"denied\"\nkind = \"subject\"\ndeny_file = \"denied.txt\"\n";
    CHECK(first(said_about(folder.load(ConfigFolder::shortest() + rule), folder)) ==
          "holdfast.toml:17:13: error: precheck[0].deny_file: denied.txt: No such file or directory");
    folder.write("denied.txt", "mallory\n# a comment\neve\n");
    const auto outcome = folder.load(ConfigFolder::shortest() + rule);
    REQUIRE(outcome.config);
    CHECK(outcome.config->prechecks[0].deny.file == folder.file("denied.txt"));
    folder.write("denied.txt", "mallory\n\xff\n");
    CHECK(folder.load(ConfigFolder::shortest() + rule).errors.size() == 1);
}

TEST_CASE("config errors: limits of the file itself") {
    const ConfigFolder folder;
    CHECK(render_all(load_config(folder.file("nothing.toml"))) ==
          folder.file("nothing.toml") + ": error: cannot be opened: No such file or directory\n");
    CHECK(first(render_all(parse_config(std::string(kConfigBytesMax + 1, '#'), "f", {}))) ==
          "f: error: has more than 4194304 bytes");
    CHECK(first(said("name = \"\xff\"\n")).rfind("f:", 0) == 0);
    std::string endpoints;
    for (std::size_t i = 0; i < kEndpointsMax; ++i)
        endpoints += "[[upstream.endpoint]]\nurl = \"https://h" + std::to_string(i) + "\"\n";
    CHECK(said(endpoints).find("error: too many [[upstream.endpoint]]\n") != std::string::npos);
}
