// What the fields of a centre's answer say about its body: one under a coding that nobody asked for is none.
#include <catch2/catch.hpp>

#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

CallResult answered(UpstreamBench& b, int status, const std::string& fields, const std::string& body = kPass) {
    b.net.serve = [=](const std::string&, FakeStream& s) { s.send(reply(status, body, fields)); };
    b.begin();
    return b.run(1);
}

}  // namespace

TEST_CASE("call: a coded answer is a failed one with a reason of its own, whatever its body looks like") {
    for (const std::string fields :
         {"Content-Encoding: gzip\r\n", "content-encoding: br\r\n", "Content-Encoding: identity, gzip\r\n",
          "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", "Content-Encoding: zstd,\xe4\r\n"}) {
        INFO(fields);
        UpstreamBench b;
        const CallResult r = answered(b, 200, fields);
        CHECK_FALSE(r.ok());
        CHECK(name(r.failure) == "invalid_response");
        CHECK(r.attempts.size() == 3);
        CHECK(b.window().failures == 3);
        CHECK(b.window().successes == 0);
        CHECK(r.attempts.back().detail.find("bad answer: it is coded (Content-Encoding: ") == 0);
        CHECK(r.attempts.back().detail.find('\xe4') == std::string::npos);
        CHECK(r.ladder_may_follow());
    }
}

TEST_CASE("call: an answer that is coded by nothing is taken") {
    for (const std::string fields :
         {"Content-Encoding: identity\r\n", "Content-Encoding: IDENTITY\r\n", "Content-Encoding:\r\n",
          "Content-Encoding: UTF-8\r\n", "Content-Type: text/plain\r\n"}) {
        INFO(fields);
        UpstreamBench b;
        CHECK(answered(b, 200, fields).ok());
    }
}

TEST_CASE("call: of an answer that is no outcome the status counts, coded or not") {
    for (const auto& [status, failure] :
         {std::pair{422, "rejected"}, {429, "throttled"}, {500, "unavailable"}, {504, "timeout"}}) {
        INFO(status);
        UpstreamBench b;
        CHECK(name(answered(b, status, "Content-Encoding: gzip\r\n", "\x1f\x8b").failure) == failure);
    }
}

TEST_CASE("call: of a body that is no outcome the type is told, where it is another one than JSON") {
    const auto detail = [](const std::string& fields) {
        UpstreamBench b;
        const CallResult r = answered(b, 200, fields, "<html>sign in</html>");
        CHECK_FALSE(r.ok());
        return r.attempts.back().detail;
    };
    CHECK(detail("Content-Type: text/html; charset=utf-8\r\n").ends_with(" (Content-Type: text/html; charset=utf-8)"));
    CHECK(detail("Content-Type: " + std::string(500, 'x') + "\r\n").size() < 200);
    CHECK(detail("Content-Type: application/json\r\n").find("Content-Type") == std::string::npos);
    CHECK(detail("").find("Content-Type") == std::string::npos);
}

TEST_CASE("call: no coding is asked for") {
    UpstreamBench b;
    CHECK(answered(b, 200, "").ok());
    REQUIRE(b.net.requests.size() == 1);
    CHECK(b.net.requests[0].find("\r\nAccept-Encoding: identity\r\n") != std::string::npos);
}
