// A centre that misbehaves in ways no program would: the caller gets 502 or 504, nothing of it becomes a record, the
// circuit counts it, and its connection is never used again.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/support/e2e_script.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

struct Row {
    std::string name;
    int status;  // of our answer
    ScriptedCentre::Script script;
};

// Reads the request, says `bytes`, and then closes, or waits for the node to close.
ScriptedCentre::Script says(std::string bytes, bool close) {
    return [bytes = std::move(bytes), close](Link& link) {
        if (!link.read_request()) return;
        link.send(bytes);
        if (!close) link.hold();
    };
}

std::string answer_with(const std::string& status, const std::string& fields, std::string_view body = kGoodBody) {
    return "HTTP/1.1 " + status + "\r\n" + fields + "\r\n" + std::string(body);
}

std::string length(std::size_t n) {
    return fmt::format("Content-Length: {}\r\n", n);
}

std::vector<Row> framing_rows() {
    const std::size_t n = kGoodBody.size();
    const std::string body(kGoodBody), huge(1'100'000, ' ');
    const std::string chunk = fmt::format("{:x}\r\n{}\r\n", n, kGoodBody);
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    return {
        {"no answer, closed", 502, says("", true)},
        {"a reset", 502,
         [](Link& link) {
             if (link.read_request()) link.reset();
         }},
        {"closed in the head", 502, says("HTTP/1.1 200 OK\r\nContent-Le", true)},
        {"closed in the body", 502, says(answer_with("200 OK", length(n + 10)), true)},
        {"Content-Length twice", 502, says(answer_with("200 OK", length(n) + length(n)), false)},
        {"two different lengths", 502, says(answer_with("200 OK", length(n) + length(n - 1)), false)},
        {"Content-Length and Transfer-Encoding", 502,
         says(answer_with("200 OK", length(n) + chunked, chunk + "0\r\n\r\n"), false)},
        {"a length with a sign", 502, says(answer_with("200 OK", fmt::format("Content-Length: +{}\r\n", n)), false)},
        {"a list of lengths", 502, says(answer_with("200 OK", fmt::format("Content-Length: {0}, {0}\r\n", n)), false)},
        {"a coding that nobody asked for", 502, says(answer_with("200 OK", "Transfer-Encoding: gzip\r\n"), false)},
        {"a chunk with a bad size", 502, says(answer_with("200 OK", chunked, "xyz\r\n" + body), false)},
        {"a chunk that ends wrong", 502,
         says(answer_with("200 OK", chunked, fmt::format("{:x}\r\n{}XX", n, body)), false)},
        {"chunks without an end, closed", 502, says(answer_with("200 OK", chunked, chunk), true)},
        {"204 with a body", 502, says(answer_with("204 No Content", length(n)), false)},
        {"304 with a body", 502, says(answer_with("304 Not Modified", length(n)), false)},
        {"205 of nothing", 502, says(answer_with("205 Reset Content", length(0), ""), false)},
        {"101", 502,
         says(answer_with("101 Switching Protocols", "Upgrade: h2c\r\nConnection: Upgrade\r\n", ""), false)},
        {"no length, kept open", 502, says(answer_with("200 OK", ""), false)},
        {"a body above 1 MiB", 502, says(answer_with("200 OK", length(n + huge.size()), body + huge), false)},
        {"chunks above 1 MiB", 502,
         says(answer_with("200 OK", chunked, fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", huge.size(), huge)), false)},
        {"more than its length, in one piece", 502, says(answer_with("200 OK", length(n)) + "surplus", false)},
    };
}

std::vector<Row> head_rows() {
    const std::size_t n = kGoodBody.size();
    std::string flood, many;
    for (int i = 0; i < 9; ++i) flood += "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    for (int i = 0; i < 201; ++i) many += fmt::format("X-{}: 1\r\n", i);
    return {
        {"garbage", 502, says("\x16\x03\x01 what\r\n\r\n", false)},
        {"HTTP/0.9", 502, says(std::string(kGoodBody), true)},
        {"HTTP/2", 502, says("HTTP/2 200\r\n" + length(n) + "\r\n" + std::string(kGoodBody), false)},
        {"a status of two digits", 502, says(answer_with("20 OK", length(n)), false)},
        {"a status of 999", 502, says(answer_with("999 No", length(n)), false)},
        {"a folded field", 502, says(answer_with("200 OK", length(n) + "X: a\r\n b\r\n"), false)},
        {"a bare LF", 502, says(answer_with("200 OK", length(n) + "X: a\nY: b\r\n"), false)},
        {"NUL in a field", 502, says(answer_with("200 OK", length(n) + std::string("X: a\0b\r\n", 8)), false)},
        {"a space before a colon", 502, says(answer_with("200 OK", length(n) + "X : a\r\n"), false)},
        {"a head above 32 KiB", 502,
         says(answer_with("200 OK", length(n) + "X: " + std::string(40'000, 'x') + "\r\n"), false)},
        {"201 fields", 502, says(answer_with("200 OK", length(n) + many), false)},
        {"nine interim answers", 502, says(flood + good_answer(), false)},
        {"a coding of the body", 502, says(answer_with("200 OK", length(n) + "Content-Encoding: gzip\r\n"), false)},
        {"a redirect", 502, says(answer_with("302 Found", length(0) + "Location: http://127.0.0.1:1/\r\n", ""), false)},
        {"500", 502, says(answer_with("500 Oops", length(n)), true)},
        {"JSON that is none", 502, says(answer_with("200 OK", length(5), "{\"out"), false)},
        {"a duplicate outcome", 502,
         says(answer_with("200 OK", length(35), R"({"outcome":"fail","outcome":"pass"})"), false)},
        {"an outcome that nobody knows", 502, says(answer_with("200 OK", length(19), R"({"outcome":"maybe"})"), false)},
        {"an outcome in capitals", 502, says(answer_with("200 OK", length(18), R"({"outcome":"PASS"})"), false)},
        {"no outcome", 502, says(answer_with("200 OK", length(2), "{}"), false)},
        {"provisional from the centre", 502,
         says(answer_with("200 OK", length(25), R"({"outcome":"provisional"})"), false)},
    };
}

std::vector<Row> slow_rows() {
    return {
        {"silence", 504, [](Link& link) { link.hold(); }},
        {"a drip", 504,
         [](Link& link) {
             if (link.read_request()) link.drip(good_answer(), 20ms);
         }},
        {"an endless head", 504,
         [](Link& link) {
             if (link.read_request()) link.drip("HTTP/1.1 200 OK\r\nX: " + std::string(200, 'x'), 20ms);
         }},
        {"half a body, then silence", 504, says(answer_with("200 OK", length(kGoodBody.size() + 10)), false)},
        {"an interim answer, then silence", 504, says("HTTP/1.1 100 Continue\r\n\r\n", false)},
    };
}

Terms one_try(int port) {
    Terms terms;
    terms.tls = false;
    terms.upstream_port = port;
    terms.retry = "attempts = 0";
    terms.upstream = "deadline = \"800ms\"\ntimeout_max = \"400ms\"\ntimeout_min = \"400ms\"";
    terms.circuit = "minimum_calls = 1000\nthrottle_below = 0";
    return terms;
}

}  // namespace

TEST_CASE("e2e: whatever a hostile centre says, the caller gets 502 or 504, and nothing is recorded") {
    ScriptedCentre centre;
    Site site(one_try(centre.port()));
    std::vector<Row> rows = framing_rows();
    for (auto more : {head_rows(), slow_rows()})
        for (Row& row : more) rows.push_back(std::move(row));
    int failed = 0;
    for (const Row& row : rows) {
        INFO(row.name);
        centre.set(row.script);
        const int connections = centre.connections();
        const std::string order = site.order();
        const HttpAnswer answer = site.ask(verify_ask(order, "LOGIN", "user-1"));
        INFO(answer.body);
        CHECK(answer.status == row.status);
        CHECK(site.ask(lookup_ask(order)).status == 404);
        CHECK(centre.connections() == connections + 1);  // never one that misbehaved before
        const Json circuit = site.admin_get("/v1/circuit");
        const auto failures = circuit["circuits"].first()["window"]["failures"].integer();
        const bool counted = row.name != "a redirect" && row.name != "205 of nothing";
        if (counted) CHECK(failures == failed + 1);
        failed = static_cast<int>(failures.value_or(0));
    }
    centre.set([](Link& link) {
        while (link.read_request()) link.send(good_answer());
    });
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).json().text("source") == "live");
    CHECK(site.admin_get("/v1/cache/stats").number("entries") <= 1);
}

TEST_CASE("e2e: a centre that nobody serves is 502, counted, and no record") {
    const int port = free_port();
    Site site(one_try(port));
    const HttpAnswer answer = site.ask(verify_ask("order-1", "LOGIN", "user-1"));
    CHECK(answer.status == 502);
    CHECK(site.ask(lookup_ask("order-1")).status == 404);
    const Json circuit = site.admin_get("/v1/circuit");
    CHECK(circuit["circuits"].first()["window"]["failures"].integer() == 1);
}

TEST_CASE("e2e: a pooled connection that spoke while idle, or was closed, is not used again") {
    ScriptedCentre centre([](Link& link) {
        while (link.read_request()) {
            link.send(good_answer());
            pause_for(50ms);
            link.send(good_answer());  // an answer to a question that nobody asked yet
        }
    });
    Site site(one_try(centre.port()));
    for (int i = 1; i <= 3; ++i) {
        const HttpAnswer answer = site.ask(verify_ask(site.order(), "LOGIN", "user-1"));
        CHECK(answer.json().text("source") == "live");
        CHECK(centre.connections() == i);
        CHECK(centre.requests() == i);
        pause_for(150ms);
    }
    centre.set([](Link& link) {
        if (link.read_request()) link.send(good_answer());  // and closes
    });
    for (int i = 4; i <= 6; ++i) {
        CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).json().text("source") == "live");
        CHECK(centre.connections() == i);
        pause_for(100ms);
    }
}

TEST_CASE("e2e: two answers to one request are none") {
    ScriptedCentre centre([](Link& link) {
        link.send(good_answer() + good_answer());
        link.hold();
    });
    Site site(one_try(centre.port()));
    CHECK(site.ask(verify_ask("order-1", "LOGIN", "user-1")).status == 502);
    CHECK(site.ask(lookup_ask("order-1")).status == 404);
}

TEST_CASE("e2e: what the centre gets is built anew, and holds nothing of the caller's fields") {
    std::string seen;
    std::mutex mutex;
    ScriptedCentre centre([&](Link& link) {
        while (link.read_request()) {
            const std::lock_guard lock(mutex);
            seen = link.request();
            link.send(good_answer());
        }
    });
    Site site(one_try(centre.port()));
    Ask ask = verify_ask("order-1", "LOGIN", "user-1");
    ask.fields =
        "X-Evil: \xe4\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\nIdempotency-Key: mine\r\n"
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    const HttpAnswer answer = site.ask(ask);
    REQUIRE(answer.status == 200);
    const std::lock_guard lock(mutex);
    for (const char* absent :
         {"X-Evil", "Cookie", "X-Forwarded-For", "Authorization", "X-Nonce", "Idempotency-Key: mine"})
        CHECK(seen.find(absent) == std::string::npos);
    for (const std::string& present :
         {std::string("POST /v1/verifications HTTP/1.1\r\n"), "X-Request-Id: " + answer.json().text("requestId"),
          std::string("X-Edge-Node: e2e"), std::string("X-Edge-Region: "), std::string("X-Deadline-Ms: "),
          std::string("X-Attempt: 1"), std::string("Idempotency-Key: "),
          std::string("traceparent: 00-0af7651916cd43dd8448eb211c80319c-")})
        CHECK(seen.find(present) != std::string::npos);
    CHECK(seen.ends_with(ask.body));
}

TEST_CASE("e2e: a failed try is made again on a fresh connection with the same key, within the deadline") {
    std::mutex mutex;
    std::vector<std::string> keys;
    ScriptedCentre centre([&](Link& link) {
        while (link.read_request()) {
            const std::lock_guard lock(mutex);
            const auto at = link.request().find("Idempotency-Key: ");
            keys.push_back(link.request().substr(at, link.request().find("\r\n", at) - at));
            if (keys.size() < 3) return link.reset();
            link.send(good_answer());
        }
    });
    Terms terms = one_try(centre.port());
    terms.retry = "attempts = 2\nbase = \"10ms\"";
    terms.upstream = "deadline = \"2s\"";
    Site site(std::move(terms));
    CHECK(site.ask(verify_ask("order-1", "LOGIN", "user-1")).json().text("source") == "live");
    const std::lock_guard lock(mutex);
    REQUIRE(keys.size() == 3);
    CHECK(keys[0] == keys[1]);
    CHECK(keys[1] == keys[2]);
    CHECK(centre.connections() == 3);
}
