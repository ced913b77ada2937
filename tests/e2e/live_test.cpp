// The main job with a healthy centre, over real TLS: our own client, and curl with openssl signing.
#include <fmt/format.h>
#include <openssl/ssl.h>

#include <catch2/catch.hpp>

#include "edge/base/bytes.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

TEST_CASE("e2e: a live verification answers with every field and header of the contract") {
    Site site;
    const HttpAnswer answer = site.ask(verify_ask("order-1", "LOGIN", "user-1", R"(,"device":"d1")"));
    INFO(answer.body << site.log());
    REQUIRE(answer.status == 200);
    const Json json = answer.json();
    CHECK(json.text("requestId").starts_with("req-"));
    CHECK(json.text("orderNo") == "order-1");
    CHECK(json.text("scene") == "LOGIN");
    CHECK(json.text("outcome") == "pass");
    CHECK(json.number("score") > 0.8);
    CHECK(json.text("source") == "live");
    CHECK(json["degraded"].boolean() == false);
    CHECK(json.number("ageSeconds") == 0);
    CHECK(json.text("decidedAt").size() == 24);
    CHECK(json.text("expiresAt") > json.text("decidedAt"));
    CHECK(answer.header("X-Request-Id") == json.text("requestId"));
    CHECK(answer.header("Cache-Control") == "no-store");
    CHECK(answer.header("Cache-Status") == "holdfast; fwd=miss; stored");
    CHECK(answer.header("Proxy-Status").empty());
    CHECK(answer.header("Content-Type").starts_with("application/json"));
}

TEST_CASE("e2e: an order asked again answers the record and asks the centre once, another body is a conflict") {
    Site site;
    const Ask ask = verify_ask("order-1", "LOGIN", "user-1");
    const HttpAnswer first = site.ask(ask);
    REQUIRE(first.status == 200);
    for (int i = 0; i < 3; ++i) {
        const HttpAnswer again = site.ask(ask);
        REQUIRE(again.status == 200);
        CHECK(again.json().text("decidedAt") == first.json().text("decidedAt"));
        CHECK(again.json().text("source") == "live");
        CHECK(again.json().text("requestId") != first.json().text("requestId"));
    }
    CHECK(site.centre_requests() == 1);
    const HttpAnswer other = site.ask(verify_ask("order-1", "LOGIN", "user-2"));
    CHECK(other.status == 409);
    CHECK(other.code() == "OrderConflict");
    CHECK(site.centre_requests() == 1);
}

TEST_CASE("e2e: equal orders in flight share one call, and an order in flight is pending") {
    Site site({}, R"({"latencyMs":{"min":300,"max":300}})");
    std::vector<Client> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(site.connect());
        REQUIRE(clients.back().send(site.bytes(verify_ask("order-1", "LOGIN", "user-1"))));
    }
    REQUIRE(eventually(2s, [&] { return site.centre_requests() == 1; }));
    const HttpAnswer pending = site.ask(lookup_ask("order-1"));
    CHECK(pending.status == 202);
    CHECK(pending.json().text("status") == "pending");
    const HttpAnswer conflict = site.ask(verify_ask("order-1", "LOGIN", "user-2"));
    CHECK(conflict.code() == "OrderConflict");
    std::string decided;
    for (Client& client : clients) {
        const auto answer = client.answer();
        REQUIRE(answer);
        CHECK(answer->status == 200);
        if (decided.empty()) decided = answer->json().text("decidedAt");
        CHECK(answer->json().text("decidedAt") == decided);
    }
    CHECK(site.centre_requests() == 1);
    const HttpAnswer recorded = site.ask(lookup_ask("order-1"));
    CHECK(recorded.status == 200);
    CHECK(recorded.json()["final"].boolean() == true);
    CHECK(recorded.json().text("decidedAt") == decided);
    CHECK(site.ask(lookup_ask("order-2")).code() == "NotFound");
    Ask stranger = lookup_ask("order-1");
    stranger.secret_id = "other";
    CHECK(site.ask(stranger).status == 404);
}

TEST_CASE("e2e: an order of another credential is another order") {
    Site site;
    REQUIRE(site.ask(verify_ask("order-1", "LOGIN", "user-1")).status == 200);
    Ask ask = verify_ask("order-1", "LOGIN", "user-2");
    ask.secret_id = "other";
    CHECK(site.ask(ask).status == 200);
    CHECK(site.centre_requests() == 2);
}

TEST_CASE("e2e: TLS 1.2 and 1.3 with http/1.1, and nothing else") {
    Site site;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Client client = Client::tls(site.port(), {site.ca(), version});
        REQUIRE(client.connected());
        CHECK(client.alpn() == "http/1.1");
        REQUIRE(client.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1"))));
        CHECK(client.answer().value_or(HttpAnswer{}).status == 200);
    }
    for (const int version : {TLS1_VERSION, TLS1_1_VERSION})
        CHECK_FALSE(Client::tls(site.port(), {site.ca(), version}).connected());
    CHECK_FALSE(Client::tls(site.port(), {site.ca(), 0, {"h2"}}).connected());
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
}

TEST_CASE("e2e: curl over TLS 1.2 and 1.3, signed by the openssl command") {
    Site site;
    std::string secret = read_file(site.secret_file());
    secret.pop_back();
    for (const std::string version : {"1.2", "1.3"}) {
        const std::string body = verification("curl-" + version.substr(2), "LOGIN", "user-1");
        const std::string hash = run({"openssl", "dgst", "-sha256", "-r"}, body).out.substr(0, 64);
        const std::string now = std::to_string(unix_seconds(WallClock::read()));
        const std::string nonce = "curl-nonce-of-tls-" + version.substr(2);
        const std::string text = fmt::format("POST{}/v1/verifications\n\n{}\n{}\n{}", site.host(), now, nonce, hash);
        const std::string signature =
            run({"openssl", "dgst", "-sha256", "-r", "-mac", "HMAC", "-macopt", "hexkey:" + to_hex(as_bytes(secret))},
                text)
                .out.substr(0, 64);
        const Finished done = run({"curl",
                                   "--silent",
                                   "--show-error",
                                   "--include",
                                   "--cacert",
                                   site.ca(),
                                   "--tlsv" + version,
                                   "--tls-max",
                                   version,
                                   "--max-time",
                                   "10",
                                   "-H",
                                   "Content-Type: application/json",
                                   "-H",
                                   "Authorization: HMAC-SHA256 SecretId=app, Signature=" + signature,
                                   "-H",
                                   "X-Timestamp: " + now,
                                   "-H",
                                   "X-Nonce: " + nonce,
                                   "-H",
                                   "X-Content-SHA256: " + hash,
                                   "--data-binary",
                                   "@-",
                                   "https://" + site.host() + "/v1/verifications"},
                                  body);
        INFO(done.out << done.err);
        REQUIRE(done.status == 0);
        CHECK(done.out.starts_with("HTTP/1.1 200"));
        CHECK(done.out.find(R"("source":"live")") != std::string::npos);
    }
    const Finished health = run({"curl", "--silent", "--cacert", site.ca(), "https://" + site.host() + "/healthz"});
    CHECK(health.out == "ok");
}
