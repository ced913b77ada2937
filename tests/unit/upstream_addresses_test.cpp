#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;
using Dial = FakeNetwork::Dial;

namespace {

const std::string kA = "192.0.2.1", kB = "192.0.2.2", kC = "192.0.2.3", kD = "192.0.2.4", kE = "192.0.2.5";

// A centre under one name with these addresses, asked over a fresh connection each time, and without retries.
struct AddressesBench : UpstreamBench {
    explicit AddressesBench(std::vector<std::string> addresses) {
        options.endpoints = {*parse_endpoint("https://central.example")};
        options.pool.idle = 0;
        options.retries = 0;
        net.names = std::move(addresses);
    }
    void learn() {
        for (std::uint64_t i = 0; i < TimeoutEstimator::kSamplesMin; ++i) REQUIRE(run(i, 30ms).ok());
        net.dials.clear();
    }
};

}  // namespace

TEST_CASE("addresses: one that only we cannot reach hides no other") {
    AddressesBench b({"2001:db8::1", kB});
    b.net.dial_rules["2001:db8::1"] = Dial::closed_here;
    b.begin();
    CHECK(b.run(1).ok());
    CHECK(b.net.dials == std::vector<std::string>{"2001:db8::1", kB});
}

TEST_CASE("addresses: a try counts as what the centre did where any of them told it") {
    struct Row {
        Dial first, second;
        FailureKind failure;
        std::uint32_t counted;
    };
    for (const Row& row : {Row{Dial::closed_here, Dial::refuse, FailureKind::refused, 1},
                           Row{Dial::refuse, Dial::closed_here, FailureKind::refused, 1},
                           Row{Dial::hang, Dial::closed_here, FailureKind::timeout, 1},
                           Row{Dial::closed_here, Dial::hang, FailureKind::timeout, 1},
                           Row{Dial::closed_here, Dial::closed_here, FailureKind::local, 0},
                           Row{Dial::refuse, Dial::no_descriptors, FailureKind::local, 0},
                           Row{Dial::no_descriptors, Dial::connect, FailureKind::local, 0}}) {
        INFO(static_cast<int>(row.first) << ' ' << static_cast<int>(row.second));
        AddressesBench b({kA, kB});
        b.net.dial_rules[kA] = row.first;
        b.net.dial_rules[kB] = row.second;
        b.begin();
        const CallResult r = b.run(1);
        CHECK(r.failure == row.failure);
        CHECK(b.window().calls() == row.counted);
        CHECK(b.net.dials.size() == (row.first == Dial::no_descriptors ? 1 : 2));
    }
}

TEST_CASE("addresses: those that hang hide no other within a short limit") {
    AddressesBench b({kA, kB, kC});
    b.begin();
    b.learn();
    REQUIRE(b.upstream->status().try_timeout == Nanos(200ms));
    b.net.dial_rules[kA] = b.net.dial_rules[kB] = Dial::hang;
    CHECK(b.run(1).ok());
    CHECK(b.net.dials == std::vector<std::string>{kA, kB, kC});
}

TEST_CASE("addresses: after a try that was cut off the next begins behind where it was") {
    AddressesBench b({kA, kB, kC, kD, kE});
    b.options.timeout.min = 50ms;
    b.begin();
    b.learn();
    for (const auto& hangs : {kA, kB, kC}) b.net.dial_rules[hangs] = Dial::hang;
    CHECK(b.run(1).failure == FailureKind::timeout);
    CHECK(b.net.dials == std::vector<std::string>{kA, kB, kC});
    CHECK(b.run(2).ok());
    CHECK(b.net.dials.back() == kD);
    CHECK(b.net.dials.size() == 4);
}

TEST_CASE("addresses: the last good one is known when their order changes") {
    AddressesBench b({kA, kB});
    b.net.dial_rules[kA] = Dial::refuse;
    b.begin();
    CHECK(b.run(1).ok());
    b.net.names = std::vector<std::string>{kB, kA};
    b.loop.run_for(1min);
    b.net.dials.clear();
    CHECK(b.run(2).ok());
    CHECK(b.net.dials == std::vector<std::string>{kB});
    b.net.names = std::vector<std::string>{kC};  // it is there no more
    b.loop.run_for(1min);
    CHECK(b.run(3).ok());
    CHECK(b.net.dials.back() == kC);
}
