#include <catch2/catch.hpp>

#include <cmath>
#include <set>

#include "edge/base/json.h"
#include "edge/net/http_parser.h"
#include "policy/signature.h"
#include "tests/support/load_request.h"
#include "tests/support/load_stats.h"
#include "tests/support/loopback.h"

using namespace holdfast;

namespace {

LoadShape shape() {
    LoadShape out;
    out.host = "127.0.0.1:8443";
    out.secret_id = "app-test";
    out.secret = "0123456789abcdef0123456789abcdef";
    out.scenes = {{"LOGIN", 3}, {"PAYMENT", 1}};
    out.attributes = {{"country", "JP"}};
    out.subjects = 10;
    out.order_prefix = "o-";
    return out;
}

const WallTime kNow = from_unix_seconds(1767323045);

} // namespace

TEST_CASE("load_stats: a quantile is within a thirty-second of the true one") {
    LatencyHistogram histogram;
    CHECK(histogram.quantile(0.5) == Nanos(0));
    for (int us = 1; us <= 100'000; ++us) histogram.add(std::chrono::microseconds(us));
    CHECK(histogram.count() == 100'000);
    CHECK(histogram.max() == 100ms);
    for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999}) {
        const double got = static_cast<double>(histogram.quantile(q).count()) / 1e3;
        CHECK(got >= q * 100'000 - 1);
        CHECK(got <= q * 100'000 * (1 + 1.0 / 32) + 1);
    }
    CHECK(histogram.quantile(1) == 100ms);
    histogram.add(24h); // beyond the last bucket
    CHECK(histogram.quantile(1) <= 24h);
    histogram.clear();
    CHECK(histogram.count() == 0);
}

TEST_CASE("load_stats: an interval begins anew, the summary does not") {
    LoadStats stats;
    json::Document doc;
    for (int i = 0; i < 3; ++i) {
        stats.sent();
        stats.ended({"LOGIN", 200, "live", "pass", ""}, 10ms);
    }
    stats.ended({"LOGIN", 503, "", "", "VerificationUnavailable"}, 1ms);
    stats.ended({"LOGIN", 0, "", "", "timeout"}, 1s);
    stats.ended({"LOGIN", 0, "", "", "closed"}, 1s);
    auto first = *doc.parse(stats.take_interval(1s, 500ms, 7, 8));
    CHECK(first["t"].number() == 1.0);
    CHECK(first["inFlight"].integer() == 7);
    CHECK(first["waiting"].integer() == 8);
    CHECK(first["sent"].integer() == 3);
    CHECK(first["answered"].integer() == 4);
    CHECK(first["failures"].integer() == 2);
    CHECK(first["timeouts"].integer() == 1);
    CHECK(first["perSecond"].number() == 8.0);
    CHECK(first["answers"].size() == 4);
    auto second = *doc.parse(stats.take_interval(2s, 500ms, 0, 0));
    CHECK(second["answered"].integer() == 0);
    CHECK(second["answers"].size() == 0);
    auto all = *doc.parse(stats.summary(2s));
    CHECK(all["summary"].boolean() == true);
    CHECK(all["answered"].integer() == 4);
    CHECK(all["timeouts"].integer() == 1);
    auto live = all["answers"].first().next().next();
    CHECK(live["status"].integer() == 200);
    CHECK(live["source"].text() == "live");
    CHECK(live["count"].integer() == 3);
    CHECK(stats.failures() == 2);
    CHECK(stats.answers() == 4);
    CHECK_FALSE(second["histogramUs"]);
    stats.with_histograms();
    stats.ended({"LOGIN", 200, "live", "pass", ""}, std::chrono::microseconds(20));
    stats.ended({"LOGIN", 200, "live", "pass", ""}, std::chrono::microseconds(20));
    CHECK(stats.take_interval(1s, 1s, 0, 0).find(R"("histogramUs":[[20,2]])") != std::string::npos);
}

TEST_CASE("load_stats: kinds of answers are bounded") {
    LoadStats stats;
    for (std::size_t i = 0; i < LoadStats::kKindsMax + 50; ++i) stats.ended({"S", 500, "", "", std::to_string(i)}, 1ms);
    json::Document doc;
    auto all = *doc.parse(stats.summary(1s));
    CHECK(all["answers"].size() == LoadStats::kKindsMax + 1);
    CHECK(all["answered"].integer() == static_cast<std::int64_t>(LoadStats::kKindsMax + 50));
}

TEST_CASE("load_request: a mix of scenes is parsed strictly and kept in proportion") {
    CHECK(parse_scene_mix("LOGIN")->size() == 1);
    CHECK(parse_scene_mix("LOGIN=0.8,PAYMENT=0.2")->at(1).weight == 0.2);
    for (const char* text : {"", "=1", "A=", "A=x", "A=0", "A=-1", "A=1,=2", "A=1e9", "A=nan"})
        CHECK_FALSE(parse_scene_mix(text));
    LoadRequests requests(shape());
    int login = 0;
    for (int i = 0; i < 4000; ++i) login += requests.next(kNow).scene == "LOGIN";
    CHECK(login > 2900);
    CHECK(login < 3100);
}

TEST_CASE("load_request: what it sends is what the node accepts, each order and nonce once") {
    auto credentials = *CredentialSet::make({{"app-test", shape().secret, "", {"LOGIN"}, {}}});
    LoadRequests requests(shape());
    const RequestLimits limits;
    json::Document doc;
    std::set<std::string> nonces;
    std::set<std::string> orders;
    for (int i = 0; i < 50; ++i) {
        const auto one = requests.next(kNow);
        RequestParser parser(limits);
        std::string_view input = one.head;
        REQUIRE(parser.next(input).kind == HttpEvent::Kind::head);
        const RequestHead& head = parser.head();
        CHECK(head.content_length == one.body.size());
        const auto seen = [&head](std::string_view name) {
            return HeaderSeen{head.headers.count(name), head.headers.get(name)};
        };
        const SignedHead wire{head.method,           head.raw_path,       head.query,      head.host,
                              seen("Authorization"), seen("X-Timestamp"), seen("X-Nonce"), seen("X-Content-SHA256")};
        const auto claimed = claim(wire, kNow, {});
        REQUIRE(claimed);
        CHECK(verify(*claimed, Sha256::of(one.body), credentials));
        CHECK(nonces.insert(std::string(claimed->nonce())).second);
        auto body = *doc.parse(one.body);
        CHECK(orders.insert(std::string(*body["orderNo"].text())).second);
        CHECK(body["attributes"]["country"].text() == "JP");
        CHECK(body["subject"].text()->substr(0, 5) == "user-");
    }
}

TEST_CASE("load_request: bodies are padded to the size asked for, and poisoned ones are the first subject's") {
    auto wide = shape();
    wide.body_bytes = 1024;
    LoadRequests padded(wide);
    for (int i = 0; i < 200; ++i) CHECK(padded.next(kNow).body.size() == 1024);
    auto bad = shape();
    bad.poison = 1;
    LoadRequests poisoned(bad);
    json::Document doc;
    auto body = *doc.parse(poisoned.next(kNow).body);
    CHECK(body["attributes"]["poison"].text() == "1");
    CHECK(body["subject"].text() == "user-0");
}

TEST_CASE("load_request: the same seed asks for the same subjects") {
    const auto bodies = [](std::uint64_t seed) {
        auto s = shape();
        s.seed = seed;
        LoadRequests requests(s);
        std::string all;
        for (int i = 0; i < 20; ++i) all += requests.next(kNow).body;
        return all;
    };
    CHECK(bodies(3) == bodies(3));
    CHECK(bodies(3) != bodies(4));
}

TEST_CASE("loopback: only addresses of this machine pass") {
    for (const char* ip : {"127.0.0.1:1", "127.255.0.9:80", "[::1]:8443"}) CHECK(is_loopback_address(ip));
    for (const char* ip :
         {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "128.0.0.1:1", "127.0.0.1.example.com:1", "127.1:1",
          "localhost:1", "0.0.0.0:1", "[::2]:1", "127.0.0.1000:1", "127..0.1:1"})
        CHECK_FALSE(is_loopback_address(ip));
}
