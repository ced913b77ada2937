#include "tests/unit/upstream_doubles.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

UpstreamOptions with(UpstreamOptions options, std::vector<std::pair<std::string, double>> endpoints) {
    options.endpoints.clear();
    for (const auto& [url, weight] : endpoints) {
        options.endpoints.push_back(*parse_endpoint(url));
        options.endpoints.back().weight = weight;
    }
    return options;
}

}  // namespace

TEST_CASE("upstream reload: a call under way ends at its endpoint, the next one goes to the new one") {
    UpstreamBench b;
    b.options = with(b.options, {{"https://192.0.2.1", 1}});
    b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 100ms); };
    b.begin();
    UpstreamBench::One one;
    b.start(one, b.spec(1));
    b.loop.run_for(20ms);
    REQUIRE(b.upstream->reconfigure(with(b.options, {{"https://192.0.2.2", 1}}), false));
    b.loop.run_for(200ms);
    REQUIRE(one.result);
    CHECK(one.result->ok());
    CHECK(b.upstream->endpoint_url(one.result->attempts[0].endpoint) == "https://192.0.2.1");
    const auto next = b.run(1, 1s);
    CHECK(next.ok());
    CHECK(b.upstream->endpoint_url(next.attempts[0].endpoint) == "https://192.0.2.2");
    REQUIRE(b.upstream->status().endpoints.size() == 1);
    CHECK(b.upstream->status().endpoints[0].url == "https://192.0.2.2");
    CHECK(b.upstream->eject("https://192.0.2.1", 1min).error().code == Code::not_found);
}

TEST_CASE("upstream reload: with other certificates a connection in use is not kept after its call") {
    for (const bool fresh : {false, true}) {
        UpstreamBench b;
        b.net.serve = [](const std::string&, FakeStream& s) { s.send(reply(200, kPass), 100ms); };
        b.begin();
        UpstreamBench::One one;
        b.start(one, b.spec(1));
        b.loop.run_for(20ms);
        REQUIRE(b.upstream->reconfigure(b.options, fresh));
        b.loop.run_for(200ms);
        REQUIRE(one.result);
        CHECK(one.result->ok());
        CHECK(b.run(2).ok());
        CHECK(b.net.dials.size() == (fresh ? 2 : 1));
        CHECK(b.run(3).ok());
        CHECK(b.net.dials.size() == (fresh ? 2 : 1));
    }
}

TEST_CASE("upstream reload: the circuit, an ejection and an operator's weight stay") {
    UpstreamBench b;
    b.options = with(b.options, {{"https://192.0.2.1", 50}, {"https://192.0.2.2", 50}});
    b.begin();
    b.upstream->circuit().force(Forced::open, b.loop.now().mono + 20s, b.loop.now());
    REQUIRE(b.upstream->eject("https://192.0.2.1", 1min));
    REQUIRE(b.upstream->set_weight("https://192.0.2.1", 7));
    REQUIRE(b.upstream->set_weight("https://192.0.2.2", 8));
    const auto wanted = with(
        b.options, {{"https://192.0.2.2", 30}, {"https://192.0.2.1", 50}, {"https://192.0.2.3", 20}});
    REQUIRE(b.upstream->reconfigure(wanted, true));
    CHECK(b.upstream->circuit().state() == CircuitState::open);
    const auto status = b.upstream->status();
    REQUIRE(status.endpoints.size() == 3);
    CHECK(status.endpoints[0].ejected);
    CHECK(status.endpoints[0].weight == 7);
    CHECK(status.endpoints[1].weight == 30);  // what the file changed is what the file says
    CHECK(status.endpoints[2].url == "https://192.0.2.3");
}

TEST_CASE("upstream reload: what is left is half of those that are there") {
    UpstreamBench b;
    b.options = with(b.options, {{"https://192.0.2.1", 1}, {"https://192.0.2.2", 1}, {"https://192.0.2.3", 1}});
    b.begin();
    REQUIRE(b.upstream->reconfigure(with(b.options, {{"https://192.0.2.1", 1}, {"https://192.0.2.2", 1}}), false));
    REQUIRE(b.upstream->eject("https://192.0.2.1", 1min));
    CHECK(b.upstream->eject("https://192.0.2.2", 1min).error().code == Code::denied);
}

TEST_CASE("upstream reload: those that are out come back until half of what is left serves, an operator's last") {
    UpstreamBench b;
    const auto url = [](int i) { return "https://192.0.2." + std::to_string(i); };
    b.options = with(b.options, {{url(1), 1}, {url(2), 1}, {url(3), 1}, {url(4), 1}});
    b.options.ejection.min_subjects = 1;
    std::vector<std::string> told;
    b.observers.on_ejection = [&](std::size_t i, bool is_out) {
        told.push_back((is_out ? "out " : "in ") + b.upstream->endpoint_url(i));
    };
    b.begin();
    b.net.dial_rules["192.0.2.2"] = FakeNetwork::Dial::refuse;
    const auto out = [&b](std::size_t i) { return b.upstream->status().endpoints[i].out; };
    for (std::uint64_t s = 0; s < 200 && out(1) == Out::no; ++s) b.run(s, 500ms);
    REQUIRE(out(1) == Out::tries);
    REQUIRE(b.upstream->eject(url(1), 4h));
    told.clear();
    REQUIRE(b.upstream->reconfigure(with(b.options, {{url(1), 1}, {url(2), 1}}), false));
    CHECK(out(0) == Out::by_hand);
    CHECK(out(1) == Out::no);
    CHECK(told == std::vector<std::string>{"in " + url(2)});
    REQUIRE(b.upstream->reconfigure(with(b.options, {{url(1), 1}}), false));
    CHECK(out(0) == Out::no);
    CHECK_FALSE(b.upstream->status().endpoints[0].ejection);
    CHECK(told.back() == "in " + url(1));
}

TEST_CASE("upstream reload: without probes, what only they kept out serves again, an operator's stays out") {
    UpstreamBench b;
    b.options = with(b.options, {{"https://192.0.2.1", 1}, {"https://192.0.2.2", 1}, {"https://192.0.2.3", 1},
                                 {"https://192.0.2.4", 1}});
    b.options.health = {.path = "/healthz", .interval = 1s, .timeout = 100ms};
    std::vector<std::string> told;
    b.observers.on_ejection = [&](std::size_t i, bool is_out) {
        told.push_back((is_out ? "out " : "in ") + b.upstream->endpoint_url(i));
    };
    b.net.serve = [](const std::string& host, FakeStream& s) { s.send(reply(host == "192.0.2.2" ? 503 : 200, kPass)); };
    b.begin();
    b.loop.run_for(5s);
    const auto status = [&b](std::size_t i) { return b.upstream->status().endpoints[i]; };
    REQUIRE(status(1).out == Out::probes);
    REQUIRE(b.upstream->eject("https://192.0.2.1", 1h));
    told.clear();
    auto other = b.options;
    other.health.path = "/ready";
    REQUIRE(b.upstream->reconfigure(other, false));
    CHECK(status(1).out == Out::probes);  // there are probes still, to bring it back
    other.health.path.clear();
    REQUIRE(b.upstream->reconfigure(other, false));
    CHECK(status(1).out == Out::no);
    CHECK(status(1).slow_start);
    CHECK_FALSE(status(1).probed);
    CHECK_FALSE(status(2).probed);
    CHECK_FALSE(status(2).slow_start);
    CHECK(status(0).out == Out::by_hand);
    CHECK(told == std::vector<std::string>{"in https://192.0.2.2"});
}

TEST_CASE("upstream reload: a weight that goes brings back what may not stay out") {
    UpstreamBench b;
    b.options = with(b.options, {{"https://192.0.2.1", 1}, {"https://192.0.2.2", 1}, {"https://192.0.2.3", 1},
                                 {"https://192.0.2.4", 1}});
    b.begin();
    REQUIRE(b.upstream->eject("https://192.0.2.1", 2h));
    REQUIRE(b.upstream->eject("https://192.0.2.2", 1h));
    const auto out = [&](std::size_t i) { return b.upstream->status().endpoints[i].ejected; };
    REQUIRE(b.upstream->set_weight("https://192.0.2.3", 0));  // of three, one serves
    CHECK(out(0));
    CHECK_FALSE(out(1));  // it would have been the sooner one
}

TEST_CASE("upstream reload: slots of endpoints that left are used again after their rest, and refused before") {
    UpstreamBench b;
    b.options = with(b.options, {{"https://192.0.2.1", 1}});
    b.begin();
    const auto many = [&](int from) {
        std::vector<std::pair<std::string, double>> out;
        for (std::size_t i = 0; i < kEndpointsMax; ++i)
            out.emplace_back("https://192.0." + std::to_string(from) + "." + std::to_string(i + 1), 1);
        return with(b.options, out);
    };
    const std::string_view traced = b.upstream->endpoint_url(0);
    REQUIRE(b.upstream->reconfigure(many(3), false));
    const auto refused = b.upstream->reconfigure(many(4), false);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::full);
    CHECK(b.upstream->status().endpoints[0].url == "https://192.0.3.1");
    b.loop.run_for(Upstream::kSlotRest);
    REQUIRE(b.upstream->reconfigure(many(4), false));
    CHECK(b.upstream->endpoint_count() <= kEndpointSlots);
    CHECK(b.run(3, 1s).ok());
    CHECK(traced == "https://192.0.2.1");  // what a trace says of it stays, though others have its slot
}
