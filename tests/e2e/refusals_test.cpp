// What an operator can find out of a request that was refused: its reason in the access log, in the log of operations
// and by `explain`, which the caller is not told; and nothing of what it sent.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

// The line of the access log for a request, once it is on disk.
std::string access_line(const Site& site, const std::string& id) {
    std::string line;
    eventually(4s, [&] {
        const std::string all = read_file(site.dir() + "/access.log");
        const auto at = all.find(id);
        if (at == std::string::npos) return false;
        const auto begin = all.rfind('\n', at) + 1;
        line = all.substr(begin, all.find('\n', at) - begin);
        return true;
    });
    return line;
}

HttpAnswer answer_to(const Site& site, const std::string& bytes) {
    Client client = site.connect();
    client.send(bytes);
    return client.answer().value_or(HttpAnswer{});
}

}  // namespace

TEST_CASE("e2e: why a caller was not authenticated is said to operators, not to callers") {
    Site site;
    const auto changed = [&site](const std::function<void(Ask&)>& change) {
        Ask ask = verify_ask(site.order(), "LOGIN", "subject-MARKER");
        change(ask);
        return site.ask(ask);
    };
    Ask twice = verify_ask(site.order(), "LOGIN", "subject-MARKER");
    twice.nonce = "nonce-MARKER-0000000";
    REQUIRE(site.ask(twice).status == 200);
    std::string unsigned_bytes = site.bytes(verify_ask(site.order(), "LOGIN", "subject-MARKER"));
    const auto at = unsigned_bytes.find("Authorization:");
    unsigned_bytes.erase(at, unsigned_bytes.find("\r\n", at) + 2 - at);
    const std::vector<std::pair<std::string, HttpAnswer>> all{
        {"unknown_secret_id", changed([](Ask& a) { a.secret_id = "nobody-MARKER", a.secret = "x"; })},
        {"signature_mismatch", changed([](Ask& a) { a.secret = "secret-MARKER"; })},
        {"content_sha256_mismatch", changed([](Ask& a) { a.signed_body = "{}"; })},
        {"nonce_replayed", site.ask(twice)},
        {"timestamp_out_of_window", changed([](Ask& a) { a.shift = -303; })},
        {"malformed_nonce", changed([](Ask& a) { a.nonce = "MARKER"; })},
        {"missing_header", answer_to(site, unsigned_bytes)},
    };
    for (const auto& [reason, answer] : all) {
        INFO(reason);
        CHECK(answer.status >= 400);
        CHECK(answer.body.find(reason) == std::string::npos);
        const std::string id = answer.json().text("requestId");
        const Json line(access_line(site, id));
        CHECK(line.text("reason") == reason);
        CHECK(line.text("code") == answer.code());
        const Json why(site.ctl({"explain", id, "--json"}).out);
        CHECK(why.text("auth") == reason);
        CHECK(why.text("code") == answer.code());
        const std::string said = fmt::format("refused: {} from 127.0.0.1, ", reason);
        CHECK(eventually(3s, [&] { return site.log().find(said) != std::string::npos; }));
    }
    const auto claimed = [&](std::size_t i) {
        return Json(access_line(site, all[i].second.json().text("requestId"))).text("claimed");
    };
    CHECK(claimed(0).empty());  // an id that is none of ours goes into no log
    CHECK(claimed(1) == "app");
    CHECK(claimed(3) == "app");
    const Json late(access_line(site, all[4].second.json().text("requestId")));
    CHECK(late.text("claimed") == "app");
    CHECK(late.number("skewSeconds") <= -303);
    CHECK(late.number("skewSeconds") >= -310);
    const std::string log = site.log(), access = read_file(site.dir() + "/access.log");
    CHECK(log.find("refused: unknown_secret_id from 127.0.0.1, ") != std::string::npos);
    CHECK(log.find(", claimed by app\n") != std::string::npos);
    CHECK(log.find(", claimed by app, its timestamp is 30") != std::string::npos);
    CHECK(log.find("MARKER") == std::string::npos);
    CHECK(access.find("MARKER") == std::string::npos);
}

TEST_CASE("e2e: a flood of refusals of one reason is a few lines and a count") {
    Site site;
    for (int i = 0; i < 30; ++i) {
        Ask ask = verify_ask(site.order(), "LOGIN", "user-1");
        ask.secret = "wrong";
        CHECK(site.ask(ask).status == 401);
    }
    CHECK(eventually(3s, [&] { return site.metric("holdfast_log_suppressed_total") >= 20; }));
    std::size_t lines = 0;
    const std::string log = site.log(), said = "refused: signature_mismatch";
    for (auto at = log.find(said); at != std::string::npos; at = log.find(said, at + 1)) ++lines;
    CHECK(lines >= 1);
    CHECK(lines <= 10);
}

TEST_CASE("e2e: a body of another type is counted, and its line says so") {
    Site site;
    Ask ask = verify_ask(site.order(), "LOGIN", "user-1");
    ask.content_type = "text/plain";
    const HttpAnswer answer = site.ask(ask);
    CHECK(answer.status == 415);
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"content_type\"}") == 1);
    CHECK(Json(access_line(site, answer.json().text("requestId"))).text("reason") == "content_type");
    ask.content_type = "application/json";
    ask.fields = "Content-Encoding: identity\r\n";
    CHECK(site.ask(ask).status == 200);
    ask.fields = "Content-Encoding: gzip\r\n";
    CHECK(site.ask(ask).status == 415);
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"content_type\"}") == 2);
}

TEST_CASE("e2e: a body that is no JSON has its line in the log, and its reason in the access log") {
    Site site;
    Ask ask = verify_ask(site.order(), "LOGIN", "user-1");
    ask.body = "{MARKER";
    const HttpAnswer answer = site.ask(ask);
    CHECK(answer.status == 400);
    CHECK(Json(access_line(site, answer.json().text("requestId"))).text("reason") == "json");
    const std::string said = "refused: json from 127.0.0.1, 7 bytes";
    CHECK(eventually(3s, [&] { return site.log().find(said) != std::string::npos; }));
    CHECK(site.log().find("MARKER") == std::string::npos);
}

TEST_CASE("e2e: what the parser refuses is logged with the bytes that had come of it") {
    Site site;
    const std::string head = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
    CHECK(answer_to(site, head + "Bad Name: y\r\n\r\n").status == 400);
    const auto said = fmt::format("refused: syntax from 127.0.0.1, {} bytes", head.size() + 15);
    CHECK(eventually(3s, [&] { return site.log().find(said) != std::string::npos; }));
}
