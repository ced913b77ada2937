// Copies for a shadow endpoint: how many, what they say, and that they cost the calls nothing.
#include <set>

#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

struct Shadowed : UpstreamBench {
    std::vector<std::string> copies; // requests that reached the shadow
    std::vector<std::string> tries;
    std::function<void(FakeStream&)> shadow = [](FakeStream& s) { s.send(reply(200, kPass)); };

    explicit Shadowed(double share = 1) {
        options.mirror.url = "https://192.0.2.66/shadow";
        options.mirror.share = share;
        net.serve = [this](const std::string& host, FakeStream& s) {
            if (host != "192.0.2.66") return s.send(reply(200, kPass), 5ms);
            copies.push_back(net.requests.back());
            shadow(s);
        };
        observers.on_try = [this](std::size_t e, FailureKind k, Nanos d) {
            tries.push_back(std::to_string(e) + " " + std::string(name(k)) + " " + format_duration(d));
        };
    }
    std::uint64_t count(MirrorResult result) {
        return upstream->status().mirrored[static_cast<std::size_t>(result)];
    }
    std::size_t under_way() { return upstream->status().mirror->under_way; }
};

std::string field(const std::string& request, const std::string& name) {
    const auto at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto from = at + name.size() + 4;
    return request.substr(from, request.find("\r\n", from) - from);
}

} // namespace

TEST_CASE("mirror: a copy is marked, has a trace and a key of its own, and is no call") {
    Shadowed b;
    b.begin();
    auto spec = b.spec(7);
    const auto caller = parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    REQUIRE(caller);
    spec.traceparent = to_text(child_of(*caller));
    UpstreamBench::One one;
    b.start(one, std::move(spec));
    b.loop.run_for(1s);
    REQUIRE(one.result);
    CHECK(one.took == 5ms);
    REQUIRE(b.copies.size() == 1);
    const std::string& copy = b.copies[0];
    CHECK(copy.starts_with("POST /shadow/v1/verifications HTTP/1.1\r\nHost: 192.0.2.66\r\n"));
    CHECK(field(copy, "X-Edge-Mirror") == "1");
    CHECK(field(copy, "X-Request-Id") == "req-1");
    const auto trace = parse_traceparent(field(copy, "traceparent"));
    REQUIRE(trace);
    CHECK(trace->flags == 0);
    CHECK(trace->trace_id != caller->trace_id);
    CHECK(field(copy, "Idempotency-Key") == "mirror.req-1");
    CHECK(copy.ends_with("{\"orderNo\":\"x\"}"));
    for (const std::string& request : b.net.requests)
        if (request != copy) CHECK(field(request, "X-Edge-Mirror").empty());
    CHECK(b.tries == std::vector<std::string>{"0 success 5ms"});
    CHECK(b.window().calls() == 1);
    CHECK(b.count(MirrorResult::answered) == 1);
}

TEST_CASE("mirror: a share of the calls is copied, and none when it is zero or off") {
    for (const double share : {0.0, 0.25, 1.0}) {
        Shadowed b(share);
        b.begin();
        for (std::uint64_t s = 0; s < 2000; ++s) b.run(s, 10ms);
        CHECK(static_cast<double>(b.copies.size()) / 2000 == Approx(share).margin(0.03));
    }
}

TEST_CASE("mirror: a shadow that hangs, refuses or errs costs a call nothing") {
    struct Row {
        const char* what;
        FakeNetwork::Dial dial;
        int status; // 0: never answers
        MirrorResult result;
    };
    for (const Row& row : {Row{"hangs", FakeNetwork::Dial::connect, 0, MirrorResult::timeout},
                           Row{"connects never", FakeNetwork::Dial::hang, 0, MirrorResult::timeout},
                           Row{"refuses", FakeNetwork::Dial::refuse, 0, MirrorResult::failed},
                           Row{"errs", FakeNetwork::Dial::connect, 500, MirrorResult::failed}}) {
        INFO(row.what);
        Shadowed b;
        b.options.mirror.connections = 4;
        b.net.dial_rules["192.0.2.66"] = row.dial;
        b.shadow = [&](FakeStream& s) {
            if (row.status != 0) s.send(reply(row.status, "{}"));
        };
        b.begin();
        std::vector<std::unique_ptr<UpstreamBench::One>> calls;
        for (std::uint64_t s = 0; s < 20; ++s) {
            calls.push_back(std::make_unique<UpstreamBench::One>());
            b.start(*calls.back(), b.spec(s));
        }
        b.loop.run_for(6ms);
        for (const auto& call : calls) {
            REQUIRE(call->result);
            CHECK(call->took == 5ms);
            CHECK(call->result->ok());
        }
        CHECK(b.under_way() <= 4);
        CHECK(b.count(MirrorResult::dropped) == 16);
        b.loop.run_for(3s);
        CHECK(b.under_way() == 0);
        CHECK(b.upstream->status().mirror->bytes == 0);
        CHECK(b.count(row.result) == 4);
        CHECK(b.tries.size() == 20);
        CHECK(b.window().failures == 0);
    }
}

TEST_CASE("mirror: the bodies of copies under way have a bound in bytes") {
    Shadowed b;
    b.options.mirror.bytes = 3 * 15; // of these bodies
    b.shadow = [](FakeStream&) {};
    b.begin();
    for (std::uint64_t s = 0; s < 5; ++s) b.run(s, 10ms);
    CHECK(b.under_way() == 3);
    CHECK(b.upstream->status().mirror->bytes == 45);
    CHECK(b.count(MirrorResult::dropped) == 2);
    b.upstream.reset(); // with copies under way
}

TEST_CASE("mirror: connections to the shadow are kept") {
    Shadowed b;
    b.begin();
    for (std::uint64_t s = 0; s < 10; ++s) b.run(s, 20ms);
    CHECK(b.count(MirrorResult::answered) == 10);
    CHECK(std::count(b.net.dials.begin(), b.net.dials.end(), "192.0.2.66") == 1);
}

TEST_CASE("mirror: a reload changes it, and what was counted stays") {
    Shadowed b;
    b.begin();
    b.run(1, 20ms);
    b.options.mirror.share = 0;
    REQUIRE(b.upstream->reconfigure(b.options, false));
    CHECK_FALSE(b.upstream->status().mirror);
    b.run(2, 20ms);
    CHECK(b.copies.size() == 1);
    CHECK(b.count(MirrorResult::answered) == 1);
}

TEST_CASE("mirror: a copy that an order of the operator overtakes does not leave, also once it has its connection") {
    for (const int turns : {0, 1}) {
        Shadowed b;
        b.begin();
        int asked = 0;
        UpstreamBench::One one;
        CallSpec spec = b.spec(1);
        spec.may_copy = [&asked, turns] { return asked++ < turns; };
        b.start(one, std::move(spec));
        b.loop.run_for(1s);
        CHECK(b.copies.empty());
        CHECK(b.count(MirrorResult::dropped) == 1);
        CHECK(b.under_way() == 0);
    }
}
