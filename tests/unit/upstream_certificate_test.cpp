// That the centre refuses our certificate is no failure of the centre, and is told to who set us up.
#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;
using Dial = FakeNetwork::Dial;

namespace {

struct CertificateBench : UpstreamBench {
    std::vector<std::pair<FailureKind, std::string>> alarms;
    CertificateBench() {
        options.retries = 0;
        observers.on_alarm = [this](std::size_t, FailureKind what, const std::string& detail) {
            alarms.emplace_back(what, detail);
        };
    }
    void check_own_fault(const CallResult& r, bool was_sent) {
        CHECK(r.failure == FailureKind::local);
        CHECK(r.error.code == Code::denied);
        CHECK(r.error.was_sent == was_sent);
        CHECK(r.ladder_may_follow());
        CHECK(window().calls() == 0);
        REQUIRE(alarms.size() == 1);
        CHECK(alarms[0] == std::pair(FailureKind::local, r.error.detail));
        CHECK(upstream->status().endpoints.at(0).certificate_problem == r.error.detail);
    }
};

}  // namespace

TEST_CASE("certificate: one that is refused in the handshake is our own fault") {
    CertificateBench b;
    b.net.dial_rules["192.0.2.1"] = Dial::certificate_refused;
    b.begin();
    b.check_own_fault(b.run(1), false);
    b.net.dial_rules.clear();
    CHECK(b.run(2).ok());
    CHECK(b.upstream->status().endpoints[0].certificate_problem.empty());
}

TEST_CASE("certificate: one that is refused behind the handshake is our own fault") {
    CertificateBench b;
    b.net.serve = [](const std::string&, FakeStream& s) {
        s.fail({Code::denied, Origin::local, true, "our certificate is refused"});
    };
    b.begin();
    b.check_own_fault(b.run(1), true);
}

TEST_CASE("certificate: after an endpoint that refuses it another one is tried") {
    CertificateBench b;
    b.options.retries = 1;
    b.options.endpoints = {*parse_endpoint("https://192.0.2.1"), *parse_endpoint("https://192.0.2.2")};
    b.net.dial_rules["192.0.2.1"] = Dial::certificate_refused;
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass)); };
    b.begin();
    std::size_t moved = 0;
    for (std::uint64_t i = 0; i < 20; ++i) {
        const CallResult r = b.run(i);
        CHECK(r.ok());
        moved += r.attempts.size() - 1;
    }
    CHECK(moved > 0);
}

TEST_CASE("certificate: that it is refused ejects no endpoint and fails no probe") {
    CertificateBench b;
    b.options.endpoints = {*parse_endpoint("https://192.0.2.1"), *parse_endpoint("https://192.0.2.2")};
    b.options.health = {.path = "/healthz", .interval = 1s, .timeout = 500ms};
    b.options.ejection.probe_failures = 1;
    b.net.serve = [](const std::string& host, FakeStream& s) {
        if (host == "192.0.2.1") return s.fail({Code::denied, Origin::local, true, "our certificate is refused"});
        s.send(reply(200, kPass));
    };
    b.begin();
    for (std::uint64_t i = 0; i < 40; ++i) b.run(i, 100ms);
    b.loop.run_for(5s);
    for (const EndpointStatus& one : b.upstream->status().endpoints) {
        CHECK_FALSE(one.ejected);
        CHECK(one.probed != false);
    }
    CHECK_FALSE(b.alarms.empty());
}
