// Every refusal of the contract that a caller can provoke: status, code, the shape of the body, Retry-After where
// waiting helps. Timeouts of slow callers are in slow_client_test.cpp.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>

#include "edge/base/api_error.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

const char* kPrechecks = R"(
[[precheck]]
name = "no-embargo"
attribute = "country"
deny = ["XX"]
[[precheck]]
name = "one-at-a-time"
kind = "rate"
by = "subject"
rate = { per_second = 0.001, burst = 2 }
[[precheck]]
name = "image-size"
kind = "image"
image = { bytes_max = "1KiB" }
)";

struct Row {
    std::string name;
    int status;
    std::string code;
    std::function<HttpAnswer()> ask;
    std::string message = {};  // part of it
    std::string field = {};    // a header that must be there
};

void check(const Row& row) {
    INFO(row.name);
    const HttpAnswer answer = row.ask();
    INFO(answer.body);
    CHECK(answer.status == row.status);
    CHECK(answer.code() == row.code);
    const Json json = answer.json();
    CHECK(json.text("message").find(row.message) != std::string::npos);
    CHECK_FALSE(json.text("message").empty());
    CHECK(json.text("requestId").starts_with("req-"));
    CHECK(answer.header("X-Request-Id") == json.text("requestId"));
    CHECK(answer.header("Cache-Control") == "no-store");
    if (!row.field.empty()) CHECK_FALSE(answer.header(row.field).empty());
}

HttpAnswer raw_answer(Site& site, const std::string& bytes) {
    Client client = site.connect();
    client.send(bytes);
    return client.answer().value_or(HttpAnswer{});
}

// A valid verification with one thing changed.
std::function<HttpAnswer()> asking(Site& site, const std::function<void(Ask&)>& change) {
    return [&site, change] {
        Ask ask = verify_ask(site.order(), "LOGIN", "user-" + site.order());
        change(ask);
        return site.ask(ask);
    };
}

std::vector<Row> authentication_rows(Site& site) {
    const std::string invalid = "InvalidSignature";
    const auto without = [&site](const std::string& name) {
        return [&site, name] {
            std::string bytes = site.bytes(verify_ask(site.order(), "LOGIN", "user-1"));
            const auto at = bytes.find(name + ":");
            return raw_answer(site, bytes.erase(at, bytes.find("\r\n", at) + 2 - at));
        };
    };
    const auto edited = [&site](const std::string& from, const std::string& to) {
        return [&site, from, to] {
            std::string bytes = site.bytes(verify_ask(site.order(), "LOGIN", "user-1"));
            const auto at = bytes.find(from);
            return raw_answer(site, bytes.replace(at, from.size(), to));
        };
    };
    std::vector<Row> rows{
        {"a wrong secret", 401, invalid, asking(site, [](Ask& a) { a.secret = "wrong"; }), "", "WWW-Authenticate"},
        {"an unknown id", 401, invalid, asking(site, [](Ask& a) { a.secret_id = "nobody", a.secret = "x"; })},
        {"another body", 401, invalid, asking(site, [](Ask& a) { a.signed_body = "{}"; })},
        {"another host", 401, invalid, edited("Host: 127.0.0.1", "Host: 127.0.0.2")},
        {"an old timestamp", 401, "RequestExpired", asking(site, [](Ask& a) { a.shift = -303; }), "300 s",
         "X-Server-Time"},
        {"a timestamp of the future", 401, "RequestExpired", asking(site, [](Ask& a) { a.shift = 303; })},
        {"another scheme", 401, "MissingCredential", edited("HMAC-SHA256 SecretId", "Bearer SecretId")},
        {"an upper-case signature", 400, "InvalidRequest", edited("Signature=", "Signature=A")},
        {"a short nonce", 400, "InvalidRequest", asking(site, [](Ask& a) { a.nonce = "short"; })},
        {"a timestamp with a sign", 400, "InvalidRequest", edited("X-Timestamp: ", "X-Timestamp: +")},
        {"a bad escape in the query", 400, "InvalidRequest", edited("verifications HTTP", "verifications?a=%zz HTTP")},
        {"a repeated X-Nonce", 400, "InvalidRequest",
         asking(site, [](Ask& a) { a.fields = "X-Nonce: other-nonce-0000000\r\n"; }), "X-Nonce"},
        {"a nonce again", 401, "NonceReplayed", [&site] {
             Ask ask = verify_ask(site.order(), "LOGIN", "user-nonce");
             ask.nonce = "this-nonce-is-used-twice";
             CHECK(site.ask(ask).status == 200);
             return site.ask(ask);
         }}};
    for (const char* name : {"Authorization", "X-Timestamp", "X-Nonce", "X-Content-SHA256"})
        rows.push_back({std::string("no ") + name, 401, "MissingCredential", without(name), name});
    rows.push_back({"unsigned, well-formed", 401, "MissingCredential", [&site] {
                        return raw_answer(site,
                                          "POST /v1/verifications HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{x}");
                    }});
    return rows;
}

std::vector<Row> request_rows(Site& site) {
    const auto raw = [&site](const std::string& bytes) { return [&site, bytes] { return raw_answer(site, bytes); }; };
    const auto same_order = [&site] {
        CHECK(site.ask(verify_ask("conflict", "LOGIN", "user-1")).status == 200);
        return site.ask(verify_ask("conflict", "LOGIN", "user-2"));
    };
    const auto too_often = [&site] {
        for (int i = 0; i < 2; ++i) CHECK(site.ask(verify_ask(site.order(), "LOGIN", "often")).status == 200);
        return site.ask(verify_ask(site.order(), "LOGIN", "often"));
    };
    const std::string image = R"(,"evidence":{"image":"/9j/)" + std::string(4000, 'A') + "\"}";
    return {
        {"JSON that is none", 400, "InvalidRequest", asking(site, [](Ask& a) { a.body = "{"; }), "body"},
        {"a scene of others", 403, "SceneForbidden",
         asking(site, [](Ask& a) { a.secret_id = "other", a.body = verification("a", "PAYMENT", "u"); })},
        {"a scene that is not configured", 403, "SceneForbidden",
         asking(site, [](Ask& a) { a.body = verification("a", "NONE", "u"); })},
        {"a denied attribute", 403, "PrecheckDenied",
         asking(site, [](Ask& a) { a.body = verification("a", "LOGIN", "u", R"(,"attributes":{"country":"XX"})"); }),
         "no-embargo"},
        {"an image that is too large", 403, "PrecheckDenied",
         asking(site, [image](Ask& a) { a.body = verification("a", "LOGIN", "u", image); }), "image-size"},
        {"a path that is none", 404, "NotFound", raw("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")},
        {"an order that is none", 404, "NotFound", [&site] { return site.ask(lookup_ask("never-asked")); }},
        {"another method", 405, "MethodNotAllowed",
         raw("PUT /v1/verifications HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), "", "Allow"},
        {"TRACE", 405, "MethodNotAllowed", raw("TRACE /v1/verifications HTTP/1.1\r\nHost: x\r\n\r\n"), "", "Allow"},
        {"the order with another body", 409, "OrderConflict", same_order},
        {"a large body", 413, "BodyTooLarge",
         raw("POST /v1/verifications HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"), "at most 4MiB"},
        {"a long target", 414, "UriTooLong", raw("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"),
         "at most 8KiB"},
        {"text/plain", 415, "UnsupportedMediaType", asking(site, [](Ask& a) { a.content_type = "text/plain"; })},
        {"another charset", 415, "UnsupportedMediaType",
         asking(site, [](Ask& a) { a.content_type = "application/json; charset=utf-16"; })},
        {"a compressed body", 415, "UnsupportedMediaType",
         asking(site, [](Ask& a) { a.fields = "Content-Encoding: gzip\r\n"; }), "Content-Encoding"},
        {"an expectation", 417, "ExpectationFailed", asking(site, [](Ask& a) { a.fields = "Expect: miracles\r\n"; })},
        {"too often", 429, "RateLimited", too_often, "one-at-a-time", "Retry-After"},
        {"many fields", 431, "HeadersTooLarge",
         raw("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(17'000, 'x') + "\r\n\r\n")},
        {"an unknown method", 501, "InvalidRequest", raw("FROB / HTTP/1.1\r\nHost: x\r\n\r\n")},
        {"an unknown version", 505, "InvalidRequest", raw("GET / HTTP/2.0\r\nHost: x\r\n\r\n")},
    };
}

}  // namespace

TEST_CASE("e2e: every failure of authentication has its status and code, and asks nobody") {
    Site site;
    for (const Row& row : authentication_rows(site)) check(row);
    CHECK(site.centre_requests() == 1);  // the first use of the nonce
    CHECK(site.metric("holdfast_auth_failures_total{code=\"InvalidSignature\"}") == 4);
}

TEST_CASE("e2e: the three failures behind InvalidSignature look the same") {
    Site site;
    std::vector<std::string> seen;
    for (const auto& change : std::vector<std::function<void(Ask&)>>{
             [](Ask& a) { a.secret = "wrong"; }, [](Ask& a) { a.secret_id = "nobody", a.secret = "x"; },
             [](Ask& a) { a.signed_body = "{}"; }}) {
        const HttpAnswer answer = asking(site, change)();
        std::string text = std::to_string(answer.status) + answer.json().text("message");
        for (const auto& [name, value] : answer.headers)
            if (name != "x-request-id" && name != "date") text += name + value;
        seen.push_back(text);
    }
    CHECK(seen[0] == seen[1]);
    CHECK(seen[0] == seen[2]);
}

TEST_CASE("e2e: every refusal of a request has its status and code") {
    Terms terms;
    terms.more = kPrechecks;
    Site site(std::move(terms));
    for (const Row& row : request_rows(site)) check(row);
    const auto shown = [&site] {  // when all four fall into one of the seconds that are counted
        for (int i = 0; i < 4; ++i)
            site.ask(verify_ask(site.order(), "LOGIN", "known", R"(,"attributes":{"country":"XX"})"));
        const std::string all = "4 requests/s, 4 refused/s, 0 degraded/s";
        return eventually(1200ms, [&] { return site.ctl({"status"}).out.find(all) != std::string::npos; });
    };
    CHECK(eventually(10s, shown));
    CHECK(site.centre_requests() == 3);  // the order of the conflict, and twice before it was too often
}

TEST_CASE("e2e: a centre that was tried and failed is 502 or 504, and no record") {
    Site site;
    struct Mode {
        std::string name;
        int status;
        std::string code, proxy_status;
    };
    const std::string none = "holdfast; error=http_protocol_error; received-status=200";
    for (const auto& [mode, status, code, proxy_status] :
         std::vector<Mode>{{"error", 502, "UpstreamInvalidResponse", "holdfast; received-status=500"},
                           {"bad_json", 502, "UpstreamInvalidResponse", none},
                           {"bad_outcome", 502, "UpstreamInvalidResponse", none},
                           {"reject", 502, "UpstreamInvalidResponse", "holdfast; received-status=4"},
                           {"hang", 504, "UpstreamTimeout", "holdfast; error=http_response_timeout"}}) {
        site.centre(fmt::format(R"({{"mode":"{}"}})", mode));
        const std::string order = site.order();
        const auto ask = [&] {
            HttpAnswer answer = site.ask(verify_ask(order, "LOGIN", "user-1"));
            CHECK(answer.header("Proxy-Status").starts_with(proxy_status));
            return answer;
        };
        check({mode, status, code, ask, "", "Proxy-Status"});
        CHECK(site.ask(lookup_ask(order)).status == 404);
    }
    CHECK(site.circuit() == "closed");
}

TEST_CASE("e2e: an open circuit without a rung that answers is 503 VerificationUnavailable with Retry-After") {
    Site site({}, R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    check({"open", 503, "VerificationUnavailable",
           [&] { return site.ask(verify_ask(site.order(), "PAYMENT", "nobody")); }, "", "Retry-After"});
}

TEST_CASE(
    "e2e: while an order keeps calls from the centre, whoever gets nothing is told to wait as long as it stands") {
    Site site;
    REQUIRE(site.ctl({"degrade", "on", "--for", "20s", "--reason", "test"}).status == 0);
    const HttpAnswer refused = site.ask(verify_ask(site.order(), "PAYMENT", "nobody"));
    CHECK(refused.status == 503);
    CHECK(refused.header("Proxy-Status").find("forced degraded") != std::string::npos);
    const int wait = std::stoi("0" + refused.header("Retry-After"));
    CHECK(wait >= 10);  // of 20 s, less what the test took
    CHECK(wait <= 23);
}

TEST_CASE("e2e: above the limit of requests in flight callers are shed, and health still answers") {
    Terms terms;
    terms.limits = "in_flight = 2";
    Site site(std::move(terms), R"({"latencyMs":{"min":350,"max":350}})");
    std::vector<Client> clients;
    for (int i = 0; i < 2; ++i) {
        clients.push_back(site.connect());
        clients.back().send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1")));
    }
    REQUIRE(eventually(2s, [&] { return site.centre_requests() == 2; }));
    check({"shed", 503, "Overloaded", [&] { return site.ask(verify_ask(site.order(), "LOGIN", "u")); }, "",
           "Retry-After"});
    CHECK(raw_answer(site, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200);
    for (Client& client : clients) CHECK(client.answer().value_or(HttpAnswer{}).status == 200);
}

TEST_CASE("e2e: a full nonce store refuses with 503 instead of forgetting") {
    Terms terms;
    terms.auth = "window = \"300s\"";
    Site site(std::move(terms));
    // The fixture reserves 100,000 nonces; a smaller store is quicker to fill.
    std::string config = read_file(site.config_file());
    config.replace(config.find("nonces = 100000"), 15, "nonces = 1000");
    REQUIRE(site.stop_node(15) == 0);
    write_file(site.config_file(), config);
    Process node({program("holdfast"), "--config", site.config_file()}, {}, site.dir() + "/second.log");
    REQUIRE(
        eventually(10s, [&] { return read_file(site.dir() + "/second.log").find("serves on") != std::string::npos; }));
    Client client = site.connect();
    HttpAnswer last;
    for (int i = 0; i < 1200 && last.status != 503; ++i) {
        REQUIRE(client.send(site.bytes(lookup_ask("never-asked"))));
        last = client.answer().value_or(HttpAnswer{});
    }
    CHECK(last.status == 503);
    CHECK(last.code() == "Overloaded");
    CHECK_FALSE(last.header("Retry-After").empty());
}
