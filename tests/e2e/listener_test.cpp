// The client listener as TLS and HTTP peers meet it: hosts that it serves, sessions, renegotiation, certificates that
// change while it runs.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "tests/support/e2e_site.h"
#include "tests/unit/net_certs.h"

using namespace holdfast;
using namespace holdfast::e2e;

TEST_CASE("e2e: a host that is not served is 421 whoever asks, and health checks need no name") {
    Terms terms;
    terms.listen = "hosts = [\"edge.example.com\", \"127.0.0.1\"]";
    Site site(std::move(terms));
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    Ask named = verify_ask(site.order(), "LOGIN", "user-2");
    named.host = "EDGE.example.com:443";
    CHECK(site.ask(named).status == 200);
    Ask stranger = verify_ask(site.order(), "LOGIN", "user-3");
    stranger.host = "other.example.com";
    const HttpAnswer refused = site.ask(stranger);
    CHECK(refused.status == 421);
    CHECK(refused.code() == "MisdirectedRequest");
    CHECK(site.centre_requests() == 2);
    Client client = site.connect();
    client.send("POST /v1/verifications HTTP/1.1\r\nHost: other.example.com\r\nContent-Length: 0\r\n\r\n");
    CHECK(client.answer().value_or(HttpAnswer{}).status == 421);
    client.send("GET /healthz HTTP/1.1\r\nHost: other.example.com\r\n\r\n");
    CHECK(client.answer().value_or(HttpAnswer{}).status == 200);
    const std::string series =
        R"(holdfast_requests_total{code="MisdirectedRequest",outcome="none",scene="other",source="none"})";
    CHECK(site.metric(series) == 2);
}

namespace {

const std::string kHealth = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";

// Puts a pair into the files that the node was started with.
void install(const Site& site, const std::string& certificate, const std::string& key) {
    write_file(site.dir() + "/cert.pem", certificate);
    write_file(site.dir() + "/key.pem", key);
}

bool serves(const Site& site, const std::string& ca) {
    return Client::tls(site.port(), {.ca = ca}).connected();
}

double failures(const Site& site) {
    return site.metric("holdfast_tls_reload_failures_total");
}

// The arguments of openssl as a client of this node.
Arguments s_client(const Site& site, const Arguments& more) {
    Arguments out{"openssl", "s_client", "-connect", site.host(), "-CAfile", site.ca(), "-verify_return_error"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
}

}  // namespace

TEST_CASE("e2e: SIGHUP serves the new certificate to new connections, and old ones live on") {
    Site site;
    testing::TestCa ca;
    ca.issue("next", "IP:127.0.0.1");
    Client old = site.connect();
    REQUIRE(old.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1"))));
    REQUIRE(old.answer().value_or(HttpAnswer{}).status == 200);
    const double expiry = site.metric("holdfast_tls_certificate_expiry_seconds");
    CHECK_FALSE(serves(site, ca.path("ca.pem")));
    install(site, read_file(ca.path("next.pem")), read_file(ca.path("next.key")));
    site.node().signal(SIGHUP);
    REQUIRE(eventually(3s, [&] { return serves(site, ca.path("ca.pem")); }));
    CHECK(site.metric("holdfast_tls_certificate_expiry_seconds") < expiry);
    CHECK(failures(site) == 0);
    REQUIRE(old.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1"))));
    CHECK(old.answer().value_or(HttpAnswer{}).status == 200);
}

TEST_CASE("e2e: a certificate behind a link into an archive is renewed by itself when the link is another one") {
    namespace fs = std::filesystem;
    Site site;
    testing::TestCa ca;
    const fs::path dir = site.dir();
    fs::create_directory(dir / "archive");
    // As certbot lays them out: archive/cert1.pem, archive/cert2.pem, ..., and a link to the newest.
    const auto link_to = [&dir](int number) {
        for (const char* name : {"key", "cert"}) {
            fs::create_symlink(fmt::format("archive/{}{}.pem", name, number), dir / "link");
            fs::rename(dir / "link", dir / fmt::format("{}.pem", name));
        }
    };
    const auto issue = [&](int number) {
        const std::string name = fmt::format("n{}", number);
        ca.issue(name, "IP:127.0.0.1");
        fs::copy_file(ca.path(name + ".pem"), dir / fmt::format("archive/cert{}.pem", number));
        fs::copy_file(ca.path(name + ".key"), dir / fmt::format("archive/key{}.pem", number));
    };
    issue(1);
    link_to(1);
    REQUIRE(eventually(10s, [&] { return serves(site, ca.path("ca.pem")); }));
    const double expiry = site.metric("holdfast_tls_certificate_expiry_seconds");
    // The same two links, but what they lead to is exchanged.
    ca.issue("later", "IP:127.0.0.1", -3600, 7 * 86400);
    fs::copy_file(ca.path("later.key"), dir / "archive/new.key");
    fs::copy_file(ca.path("later.pem"), dir / "archive/new.pem");
    pause_for(3s);  // whatever the links have begun is over
    fs::rename(dir / "archive/new.key", dir / "archive/key1.pem");
    fs::rename(dir / "archive/new.pem", dir / "archive/cert1.pem");
    CHECK(eventually(10s, [&] { return site.metric("holdfast_tls_certificate_expiry_seconds") > expiry; }));
    issue(2);
    link_to(2);
    CHECK(eventually(10s, [&] { return site.metric("holdfast_tls_certificate_expiry_seconds") <= expiry + 60; }));
    CHECK(serves(site, ca.path("ca.pem")));
}

TEST_CASE("e2e: a pair that is mismatched, cut, missing or expired is refused aloud, and the old one stays") {
    Site site;
    testing::TestCa ca;
    ca.issue("one", "IP:127.0.0.1");
    ca.issue("two", "IP:127.0.0.1");
    ca.issue("expired", "IP:127.0.0.1", -7200, -3600);
    ca.issue("early", "IP:127.0.0.1", 3600, 7200);
    const auto file = [&ca](const char* name) { return read_file(ca.path(name)); };
    const std::string before = read_file(site.ca());
    write_file(site.dir() + "/before.pem", before);
    struct Bad {
        std::string certificate, key, said;
    };
    const Bad bads[] = {
        {file("one.pem"), file("two.key"), "does not belong"},
        {file("one.pem").substr(0, 200), file("one.key"), "holds no certificate"},
        {file("one.pem"), file("one.key").substr(0, 60), "holds no private key"},
        {file("expired.pem"), file("expired.key"), "expired at"},
        {file("early.pem"), file("early.key"), "not valid before"},
    };
    double failed = 0;
    for (const Bad& bad : bads) {
        INFO(bad.said);
        install(site, bad.certificate, bad.key);
        site.node().signal(SIGHUP);
        CHECK(eventually(3s, [&] { return failures(site) == failed + 1; }));
        ++failed;
        CHECK(eventually(2s, [&] { return site.log().find(bad.said) != std::string::npos; }));
        CHECK(serves(site, site.dir() + "/before.pem"));
    }
    std::filesystem::remove(site.dir() + "/key.pem");
    site.node().signal(SIGHUP);
    CHECK(eventually(3s, [&] { return failures(site) == failed + 1; }));
    CHECK(serves(site, site.dir() + "/before.pem"));
    const std::string events = site.admin("GET", "/v1/status").body;
    CHECK(events.find("certificate was not reloaded") != std::string::npos);
    CHECK(site.log().find("PRIVATE KEY") == std::string::npos);
}

TEST_CASE("e2e: a certificate that is over makes the configuration invalid, and a start one that is tried again") {
    Site site;
    testing::TestCa ca;
    ca.issue("expired", "IP:127.0.0.1", -7200, -3600);
    install(site, read_file(ca.path("expired.pem")), read_file(ca.path("expired.key")));
    const Finished checked = run({program("holdfast"), "--config", site.config_file(), "--check"});
    CHECK(checked.status == 78);
    CHECK(checked.err.find("expired at") != std::string::npos);
    CHECK(checked.err.find("holdfast.toml:") != std::string::npos);
    CHECK(run({program("holdfast"), "--config", site.config_file()}).status == 1);  // 78 would keep it down
    write_file(site.dir() + "/key.pem", "no key");
    CHECK(run({program("holdfast"), "--config", site.config_file()}).status == 78);
    CHECK(site.ctl({"config", "check", site.config_file()}).status == 78);
}

TEST_CASE("e2e: a TLS client cannot renegotiate, and takes nothing from others by trying") {
    Site site;
    const Finished tried = run(s_client(site, {"-tls1_2"}), "R\n" + kHealth, 10s);
    INFO(tried.out << tried.err);
    CHECK(tried.out.find("Verify return code: 0") != std::string::npos);  // the first handshake was well
    CHECK(tried.out.find("HTTP/1.1 200") == std::string::npos);
    CHECK((tried.out + tried.err).find("no renegotiation") != std::string::npos);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
}

TEST_CASE("e2e: sessions are resumed by ticket in both versions") {
    Site site;
    const Finished older = run(s_client(site, {"-tls1_2", "-reconnect"}), {}, 10s);
    INFO(older.out << older.err);
    CHECK(count(older.out, "Reused, TLSv1.2") >= 4);
    const std::string session = site.dir() + "/session";
    const Finished first = run(s_client(site, {"-tls1_3", "-ign_eof", "-sess_out", session}), kHealth, 10s);
    INFO(first.out << first.err);
    CHECK(first.out.find("HTTP/1.1 200") != std::string::npos);
    CHECK(first.out.find("New, TLSv1.3") != std::string::npos);
    const Finished second = run(s_client(site, {"-tls1_3", "-ign_eof", "-sess_in", session}), kHealth, 10s);
    INFO(second.out << second.err);
    CHECK(second.out.find("Reused, TLSv1.3") != std::string::npos);
    CHECK(second.out.find("HTTP/1.1 200") != std::string::npos);
    CHECK(second.out.find("Max Early Data: 0") != std::string::npos);
}
