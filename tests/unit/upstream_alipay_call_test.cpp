// Calls of Alipay's gateway, end to end over scripted peers: what each trouble on the way means for a retry and for
// the circuit.
#include <map>

#include "tests/unit/upstream_alipay_bench.h"

using namespace holdfast;
using namespace holdfast::testing;
namespace av = holdfast::alipay_vectors;

namespace {

using Set = std::function<void(AlipayBench&)>;

Set answering(const std::string& bytes) {
    return [bytes](AlipayBench& b) { b.net.serve = [bytes](const std::string&, FakeStream& s) { s.send(bytes); }; };
}
Set dialing(FakeNetwork::Dial how) {
    return [how](AlipayBench& b) { b.net.dial_rules["192.0.2.1"] = how; };
}
void hang(AlipayBench& b) {
    b.net.serve = [](const std::string&, FakeStream&) {};
}
void reset_midway(AlipayBench& b) {
    b.net.serve = [](const std::string&, FakeStream& s) {
        s.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        s.reset();
    };
}

void coded(AlipayBench& b) {  // a pass by its bytes
    const std::string pass = av::answer(kVerifyNode, R"({"code":"10000","passed":"T"})");
    answering(reply(200, pass, "Content-Encoding: gzip\r\n"))(b);
}

// Every event of the recorded table that a try can meet; those of our own have a test of theirs.
const std::map<std::string, std::vector<Set>> kEvents = {
    {"dns/connect refused/timeout before the request was sent",
     {dialing(FakeNetwork::Dial::refuse), dialing(FakeNetwork::Dial::hang)}},
    {"TLS handshake or certificate failure", {dialing(FakeNetwork::Dial::no_handshake)}},
    {"timeout after the request was sent", {hang}},
    {"connection reset mid-response", {reset_midway}},
    {"HTTP 5xx", {answering(reply(500, "")), answering(reply(503, ""))}},
    {"HTTP 429", {answering(reply(429, ""))}},
    {"HTTP 4xx other", {answering(reply(400, "")), answering(reply(404, ""))}},
    {"body not JSON / node missing / duplicate node",
     {answering(reply(200, "x")), answering(reply(200, "{}")), coded,
      answering(reply(200, "{\"" + kVerifyNode + "\":{},\"" + kVerifyNode + "\":{},\"sign\":\"\"}"))}},
    {"response signature wrong or absent on a 10000 answer",
     {answering(reply(200, "{\"" + kVerifyNode + R"(":{"code":"10000","passed":"T"}})")),
      answering(reply(200, "{\"" + kVerifyNode + R"(":{"code":"10000","passed":"T"},"sign":"AAAA"})"))}},
};

}  // namespace

TEST_CASE("alipay call: each trouble of the recorded table is asked again, and counted, as it says") {
    const av::Vectors v("alipay_codes.json");
    std::size_t seen = 0;
    for (json::Value row = v["transport"].first(); row; row = row.next()) {
        const auto event = kEvents.find(av::text(row["event"]));
        if (event == kEvents.end()) {
            CHECK(av::text(row["class"]) == "local");
            continue;
        }
        ++seen;
        for (const Set& set : event->second) {
            INFO(event->first);
            AlipayBench b;
            set(b);
            b.begin();
            AlipayBench::One one;
            b.start(one, b.alipay_spec(1));
            b.loop.run_for(11s);
            REQUIRE(one.result);
            const std::size_t tries = row["retry"].boolean() == true ? kAttemptsMax : 1;
            CHECK(one.result->attempts.size() == tries);
            CHECK(b.window().failures == (av::text(row["breaker"]) == "failure" ? tries : 0));
            CHECK(b.window().successes == 0);
            CHECK_FALSE(one.result->outcome);
        }
    }
    CHECK(seen == kEvents.size());
}

TEST_CASE("alipay call: an answer with a portrait is read, one that is longer than any portrait is none") {
    for (const std::size_t bytes : {std::size_t{1} << 20, std::size_t{3} << 20, kAlipayAnswerMax}) {
        INFO(bytes);
        AlipayBench b;
        const std::string node =
            R"({"code":"10000","passed":"T","alive_photo":")" + std::string(bytes, 'A') + R"("})";
        answering(reply(200, av::answer(kVerifyNode, node)))(b);
        b.begin();
        AlipayBench::One one;
        b.start(one, b.alipay_spec(1));
        b.loop.run_for(11s);
        REQUIRE(one.result);
        CHECK(one.result->outcome.has_value() == (bytes < kAlipayAnswerMax));
        CHECK(b.window().failures == (bytes < kAlipayAnswerMax ? 0 : one.result->attempts.size()));
    }
}

TEST_CASE("alipay call: a client that leaves and a call that is shed here count for nothing") {
    AlipayBench b;
    b.options.pool.connections = 1;
    b.options.pool.queue = 0;
    hang(b);
    b.begin();
    AlipayBench::One leaves, shed;
    b.start(leaves, b.alipay_spec(1));
    b.loop.run_for(10ms);
    REQUIRE(b.net.requests.size() == 1);
    b.start(shed, b.alipay_spec(2));
    b.loop.run_for(10ms);
    REQUIRE(shed.result);
    CHECK(shed.result->failure == FailureKind::overloaded_local);
    CHECK(shed.result->attempts.empty());
    leaves.call.reset();
    b.loop.run_for(11s);
    CHECK_FALSE(leaves.result);
    CHECK(b.net.requests.size() == 1);
    CHECK(b.window().calls() == 0);
}

TEST_CASE("alipay call: the centre of the other kind is asked again after a failed handshake, as nothing was sent") {
    UpstreamBench b;
    b.net.dial_rules["192.0.2.1"] = FakeNetwork::Dial::no_handshake;
    b.begin();
    CHECK(b.run(1).attempts.size() == kAttemptsMax);
}

namespace {

// Answers come at once and well signed; reading them takes so long.
struct SlowReadBench : AlipayBench {
    std::size_t ejections = 0;
    std::list<One> all{6};

    explicit SlowReadBench(Nanos takes) {
        options.endpoints.push_back(*parse_endpoint("https://192.0.2.2/gateway.do"));
        observers.on_ejection = [this](std::size_t, bool) { ++ejections; };
        net.serve = [this, takes](const std::string&, FakeStream& s) {
            offload.takes = takes;
            s.send(alipay_pass());
        };
        begin();
        // Each is signed before the first is answered; then as many are read at once as there are threads.
        for (std::uint64_t subject = 1; One & one : all) start(one, alipay_spec(subject++));
        loop.run_for(60s);
    }
};

}  // namespace

TEST_CASE("alipay call: an answer that is being read is waited for until the deadline, and is no slow one") {
    SlowReadBench b(4s);
    REQUIRE(b.options.timeout.max < 4s);
    for (const auto& one : b.all) {
        REQUIRE(one.result);
        CHECK(one.result->outcome);
        CHECK(one.result->attempts.size() == 1);
    }
    CHECK(b.window().failures == 0);
    CHECK(b.window().slow == 0);
    CHECK(b.window().successes == b.all.size());
}

TEST_CASE("alipay call: an answer that is not read in time counts for nothing, and is recorded") {
    SlowReadBench b(11s);
    for (const auto& one : b.all) {
        REQUIRE(one.result);
        CHECK(one.took == 10s);
        CHECK_FALSE(one.result->outcome);
        CHECK(one.result->failure == FailureKind::timeout);
        CHECK(one.result->error.origin == Origin::local);
        CHECK(one.result->attempts.size() == 1);
        CHECK(one.result->late_kept);
        CHECK(one.late);
    }
    CHECK(b.net.requests.size() == b.all.size());
    CHECK(b.window().failures == 0);
    CHECK(b.window().calls() == 0);
    CHECK(b.ejections == 0);
}

TEST_CASE("alipay call: what is made of a request is asked room for, and held for as long as it is") {
    AlipayBench b;
    hang(b);
    b.begin();
    AlipayBench::One one;
    std::size_t asked = 0;
    std::weak_ptr<const void> held;
    CallSpec spec = b.alipay_spec(1, 3s);
    spec.room = [&](std::size_t bytes) {
        asked = bytes;
        auto room = std::make_shared<const int>(0);
        held = room;
        return room;
    };
    b.start(one, std::move(spec));
    b.loop.run_for(10ms);
    REQUIRE(b.net.requests.size() == 1);
    const std::string& request = b.net.requests[0];
    CHECK(asked == 2 * (request.size() - request.find("\r\n\r\n") - 4));  // a connection may copy it
    CHECK_FALSE(held.expired());
    b.loop.run_for(4s);
    REQUIRE(one.result);
    CHECK(held.expired());
}

TEST_CASE("alipay call: without room for what is made of it nothing is sent, and the call is shed") {
    AlipayBench b;
    b.begin();
    AlipayBench::One one;
    CallSpec spec = b.alipay_spec(1);
    spec.room = [](std::size_t) { return nullptr; };
    b.start(one, std::move(spec));
    b.loop.run_for(1s);
    REQUIRE(one.result);
    CHECK(one.result->failure == FailureKind::overloaded_local);
    CHECK(one.result->attempts.empty());
    CHECK(b.net.requests.empty());
    CHECK(b.window().calls() == 0);
}

TEST_CASE("alipay call: that the order is pending is heard also from a try that is late") {
    AlipayBench b;
    b.options.timeout = {200ms, 200ms, 2};
    b.options.retries = 1;
    b.net.serve = [&b](const std::string&, FakeStream& s) {
        const bool first = b.net.requests.size() == 1;
        if (first) s.send(reply(200, av::answer(kVerifyNode, R"({"code":"10003"})")), 250ms);
    };
    b.begin();
    AlipayBench::One one;
    CallSpec spec = b.alipay_spec(1);
    int recorded = 0;
    spec.on_late = [&recorded]() -> LateRecorder {
        return [&recorded](const AttemptResult& late) { recorded += late.failure == FailureKind::pending; };
    };
    one.call = b.upstream->start(std::move(spec), [&one](CallResult r) { one.result = std::move(r); });
    b.loop.run_for(2s);
    REQUIRE(one.result);
    CHECK(one.result->attempts.size() <= 2);
    CHECK(one.result->failure == FailureKind::pending);
    CHECK(recorded == 1);
}

TEST_CASE("alipay call: that a code refuses tells nothing of how long a comparison takes") {
    AlipayBench b;
    const auto ask = [&b](const std::string& node) {
        const std::string bytes = reply(200, av::answer(kVerifyNode, node));
        b.net.serve = [bytes](const std::string&, FakeStream& s) { s.send(bytes, 1ms); };
        for (std::uint64_t i = 0; i < TimeoutEstimator::kSamplesMin; ++i) {
            AlipayBench::One one;
            b.start(one, b.alipay_spec(1));
            b.loop.run_for(1ms);
            REQUIRE(one.result);
            CHECK(one.result->ok());
        }
    };
    b.begin();
    ask(R"({"code":"40004","sub_code":"ORDER_EXISTS"})");
    CHECK_FALSE(b.upstream->status().p99);
    ask(R"({"code":"10000","passed":"F"})");
    CHECK(b.upstream->status().p99);
}
