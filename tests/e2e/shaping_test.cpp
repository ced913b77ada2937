// Who gets the calls, at a running node: live weights, ejection by hand, probes, and a shadow that hangs.
#include <fmt/format.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>

#include "tests/support/e2e_script.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

// A second centre that answers well, as the second endpoint. A probe of /bad is told that it is ill.
struct Second {
    ScriptedCentre centre{[](Link& link) {
        while (link.read_request()) link.send(good_answer());
    }};
    std::string url() const { return fmt::format("http://127.0.0.1:{}", centre.port()); }
    Terms terms(Terms more = {}) const {
        more.more = fmt::format("[[upstream.endpoint]]\nurl = \"{}\"\n{}", url(), more.more);
        return more;
    }
};

// The endpoint as `upstream list --json` has it; 0 is the site's own centre.
json::Value endpoint(const Json& list, int at) {
    json::Value out = list["endpoints"].first();
    for (int i = 0; i < at && out; ++i) out = out.next();
    return out;
}
std::string text(json::Value value) {
    return std::string(value.text().value_or(""));
}

// Calls of distinct subjects over one connection; how many of them were answered live.
int ask_many(Site& site, int n) {
    Client client = site.connect();
    int live = 0;
    for (int i = 0; i < n; ++i) {
        const std::string order = site.order();
        client.send(site.bytes(verify_ask(order, "LOGIN", "subject-" + order)));
        const auto answer = client.answer();
        live += answer && answer->json().text("source") == "live";
    }
    return live;
}

double second_share(Site& site, Second& second, int n) {
    const int before = second.centre.requests();
    REQUIRE(ask_many(site, n) == n);
    return static_cast<double>(second.centre.requests() - before) / n;
}

}  // namespace

TEST_CASE("e2e: an operator's weights and ejections move the calls, are marked, and are in the journal", "[alone]") {
    Second second;
    Site site(second.terms());
    CHECK(second_share(site, second, 200) == Approx(0.5).margin(0.16));
    const auto set = [&](Arguments arguments) {
        arguments.insert(arguments.begin(), "upstream");
        arguments.insert(arguments.end(), {"--reason", "a canary"});
        return site.ctl(arguments);
    };
    REQUIRE(set({"weight", second.url(), "0"}).status == 0);
    CHECK(second_share(site, second, 50) == 0);
    REQUIRE(set({"weight", second.url(), "5.5"}).status == 0);
    CHECK(second_share(site, second, 300) == Approx(0.1).margin(0.08));
    const Finished table = site.ctl({"upstream", "list"});
    CHECK(table.status == 0);
    CHECK(table.out.find("5.5 (live; configured 50)") != std::string::npos);
    CHECK(site.ctl({"status"}).out.find("5.5 (live)") != std::string::npos);
    CHECK(table.out.find("live changes last until a restart") != std::string::npos);
    const Json list(site.ctl({"--json", "upstream", "list"}).out);
    CHECK(text(endpoint(list, 1)["live"]["weight"]["reason"]) == "a canary");
    CHECK(text(endpoint(list, 1)["live"]["weight"]["by"]).starts_with("uid "));
    CHECK_FALSE(endpoint(list, 0)["live"]);

    REQUIRE(set({"eject", second.url(), "--for", "5m"}).status == 0);
    CHECK(second_share(site, second, 50) == 0);
    CHECK(site.metric("holdfast_upstream_ejected{endpoint=\"" + second.url() + "\",upstream=\"central\"}") == 1);
    const Finished last = set({"eject", text(endpoint(list, 0)["endpoint"])});
    CHECK(last.status == 1);  // never below half
    CHECK(last.err.find("fewer than half") != std::string::npos);
    const Finished wrong_name = set({"weight", "http://127.0.0.1:1", "1"});
    CHECK(wrong_name.status == 1);
    CHECK(wrong_name.err.find("there are " + text(endpoint(list, 0)["endpoint"])) != std::string::npos);
    CHECK(set({"weight", second.url(), "101"}).status == 1);
    CHECK(site.ctl({"upstream", "wieght"}).status == 2);
    CHECK(site.ctl({"upstream", "weight", second.url(), "1"}).status == 2);  // without a reason
    REQUIRE(set({"restore", second.url()}).status == 0);
    const Json restored(site.ctl({"--json", "upstream", "list"}).out);
    CHECK(text(endpoint(restored, 1)["state"]) == "slow-start");
    CHECK(endpoint(restored, 1)["weight"].number() == 50.0);
    CHECK(site.ctl({"status"}).out.find("(live)") == std::string::npos);
    for (const char* said : {"weight 5.5", "ejected for 5m", "refused", " restored", "a canary"})
        CHECK(site.journal().find(said) != std::string::npos);

    REQUIRE(set({"weight", second.url(), "0"}).status == 0);
    site.stop_node(SIGTERM);
    REQUIRE(site.start_node());
    CHECK(endpoint(Json(site.ctl({"--json", "upstream", "list"}).out), 1)["weight"].number() == 50.0);
}

TEST_CASE("e2e: an endpoint that its probe finds ill gets no calls until it is found well", "[alone]") {
    std::atomic<bool> ill{true};
    ScriptedCentre centre([&ill](Link& link) {
        while (link.read_request()) {
            const bool probe = link.request().starts_with("GET /health ");
            link.send(probe && ill ? "HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n" : good_answer());
        }
    });
    Terms terms;
    terms.more = fmt::format(
        "[[upstream.endpoint]]\nurl = \"http://127.0.0.1:{}\"\n[upstream.health]\npath = \"/health\"\n"
        "interval = \"100ms\"\nfailures = 2\nsuccesses = 2\n",
        centre.port());
    Site site(terms);
    const auto state = [&site] {
        const Json list = site.admin_get("/v1/upstream");
        return text(endpoint(list, 1)["state"]) + " " + text(endpoint(list, 1)["why"]);
    };
    CHECK(eventually(5s, [&] { return state() == "ejected probes"; }));
    CHECK(ask_many(site, 20) == 20);
    CHECK(state() == "ejected probes");
    CHECK(site.circuit() == "closed");
    ill = false;
    CHECK(eventually(5s, [&] { return state() == "slow-start "; }));
}

TEST_CASE("e2e: a shadow that hangs costs the calls nothing, and gets none while degraded is forced", "[alone]") {
    ScriptedCentre shadow([](Link& link) {
        link.read_request();
        link.hold();
    });
    Terms terms;
    terms.more = fmt::format(
        "[upstream.mirror]\nurl = \"http://127.0.0.1:{}\"\nshare = 1.0\nconnections = 3\ntimeout = \"1m\"\n",
        shadow.port());
    Site site(terms);
    CHECK(ask_many(site, 100) == 100);
    CHECK(site.centre_requests() == 100);
    CHECK(eventually(5s, [&] { return shadow.requests() == 3; }));
    CHECK(site.metric("holdfast_mirror_copies_total{result=\"dropped\"}") == 97);
    CHECK(site.metric("holdfast_mirror_copies_under_way") == 3);
    const std::string shadow_url = fmt::format("http://127.0.0.1:{}", shadow.port());
    CHECK(site.monitor("/metrics").body.find("endpoint=\"" + shadow_url) == std::string::npos);
    CHECK(site.circuit() == "closed");
    CHECK(site.ctl({"upstream", "list"}).out.find("mirror " + shadow_url) != std::string::npos);
    REQUIRE(site.ctl({"degrade", "on", "--reason", "test"}).status == 0);
    for (int i = 0; i < 5; ++i) site.ask(verify_ask(site.order(), "LOGIN", "other"));
    CHECK(site.metric("holdfast_mirror_copies_total{result=\"dropped\"}") == 97);
    CHECK(site.stop_node(SIGTERM) == 0);  // copies under way hold nothing up
}
