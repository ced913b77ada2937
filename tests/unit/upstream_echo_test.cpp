// Answers that name another request, and what is believed of them in a whole call.
#include "tests/unit/upstream_doubles.h"
#include "upstream/call.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

const std::string kOwn = "X-Request-Id: req-1\r\n", kOther = "X-Request-Id: of-a-proxy\r\n";

}  // namespace

TEST_CASE("echo: a kept connection whose answer names another request is replaced without blame") {
    UpstreamBench b;
    b.begin();
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass, s.requests > 1 ? kOther : kOwn)); };
    REQUIRE(b.run(1).ok());
    const CallResult r = b.run(2);
    REQUIRE(r.ok());
    CHECK(r.attempts.size() == 2);
    CHECK(b.net.dials.size() == 2);
    CHECK(b.window().failures == 0);
}

TEST_CASE("echo: a centre that bears ids of its own on its outcomes alone is believed") {
    UpstreamBench b;
    b.begin();
    b.net.serve = [](const std::string&, FakeStream& s) {
        s.send(s.requests == 1 ? reply(400, "{}") : reply(200, kPass, kOther));
    };
    REQUIRE_FALSE(b.run(1).ok());
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass, kOther)); };
    for (std::uint64_t i = 2; i < 6; ++i) CHECK(b.run(i).ok());
    CHECK(b.window().failures == 0);
    CHECK(b.net.dials.size() == 2);
}

TEST_CASE("echo: what is no outcome counts as what it is, whoever's id it bears") {
    UpstreamBench b;
    b.options.retries = 0;
    b.begin();
    b.net.serve = [](const std::string&, FakeStream& s) {
        s.send(s.requests == 1 ? reply(200, kPass, kOwn) : reply(429, "{}", kOther + "Retry-After: 2\r\n"));
    };
    REQUIRE(b.run(1).ok());
    const CallResult r = b.run(2);
    CHECK(r.failure == FailureKind::throttled);
    CHECK(b.net.dials.size() == 1);
    CHECK(b.upstream->status().endpoints[0].idle == 0);  // of its connection nothing is known
}

TEST_CASE("echo: an answer under another key is nobody's, also as the first of its connection, whatever it says") {
    for (const int status : {200, 404}) {
        UpstreamBench b;
        b.begin();
        b.net.serve = [status](const std::string&, FakeStream& s) {
            s.send(reply(status, kPass, "Idempotency-Key: other\r\n"));
        };
        const CallResult r = b.run(1);
        CHECK_FALSE(r.ok());
        CHECK(r.failure == FailureKind::invalid_response);
        CHECK(b.window().failures > 0);
    }
}
