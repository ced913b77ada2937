// /ui of a real node: in a real browser, without a script, and under people who watch too much or read too slowly.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

std::string get(const std::string& path, const std::string& host = "127.0.0.1") {
    return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", path, host);
}

HttpAnswer asked(const Site& site, const std::string& request) {
    Client client = Client::plain(site.admin_port());
    client.send(request);
    return client.answer().value_or(HttpAnswer{});
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("e2e: /ui shows a degraded node in a real browser, live, light and dark, and without a script") {
    Terms terms;
    terms.circuit = "minimum_calls = 10\nopen_wait = \"60s\"\nthrottle_below = 0";
    Site site(std::move(terms));
    REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "known")).status == 200);
    site.centre(R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    REQUIRE(site.ctl({"degrade", "on", "--scene", "PAYMENT", "--reason", "<img src=x onerror=alert(1)>"}).status == 0);
    const HttpAnswer cached = site.ask(verify_ask(site.order(), "LOGIN", "known"));
    REQUIRE(cached.json().text("source") == "cache");
    const std::string request = cached.json().text("requestId");
    const Finished seen = run({"python3", std::string(HOLDFAST_SOURCE_DIR) + "/tests/support/browser.py",
                               fmt::format("http://127.0.0.1:{}", site.admin_port()), request},
                              {}, 90s);
    INFO(seen.out << seen.err);
    CHECK(seen.status == 0);
    CHECK(has(site.journal(), "/ui from 127.0.0.1"));  // who looked at a request is written down
    CHECK_FALSE(has(site.monitor("/ui?request=" + request).body, "known"));
}

TEST_CASE("e2e: /ui is for people at an address: other hosts, methods and ninth watchers are refused") {
    Terms terms;
    terms.tls = false;
    Site site(std::move(terms));
    const HttpAnswer page = asked(site, get("/ui"));
    CHECK(page.status == 200);
    CHECK(has(page.header("content-security-policy"), "default-src 'self'"));
    CHECK(asked(site, get("/ui", "localhost:1")).status == 200);
    CHECK(asked(site, get("/ui", "[::1]:1")).status == 200);
    CHECK(asked(site, get("/ui", "rebound.example")).status == 421);
    CHECK(asked(site, get("/ui", "127.0.0.1.example")).status == 421);
    CHECK(asked(site, get("/ui/page.html")).status == 404);
    CHECK(asked(site, "POST /ui HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n").status == 405);
    const HttpAnswer strange = asked(site, get("/ui?request=%3Cb%3E"));
    CHECK(has(strange.body, "&lt;b&gt;"));
    CHECK_FALSE(has(strange.body, "<b>\""));
    CHECK(has(asked(site, get("/ui/snapshot.json")).header("content-type"), "application/json"));

    std::vector<Client> watchers;
    for (int i = 0; i < 8; ++i) {
        watchers.push_back(Client::plain(site.admin_port()));
        REQUIRE(watchers.back().send(get("/ui/events")));
    }
    const HttpAnswer ninth = asked(site, get("/ui/events"));
    CHECK(ninth.status == 503);
    CHECK_FALSE(ninth.header("retry-after").empty());
    watchers.clear();
    CHECK(eventually(5s, [&site] { return asked(site, get("/ui/events")).status == 200; }));
}

TEST_CASE("e2e: looks at requests over /ui are in the journal, and strangers cannot fill it by looking") {
    Terms terms;
    terms.tls = false;
    Site site(std::move(terms));
    const std::string looked = R"(holdfast_journal_entries_total{kind="looked"})";
    std::vector<std::string> ids;
    for (int i = 0; i < 60; ++i)
        ids.push_back(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).json().text("requestId"));
    const auto look = [&site](const std::string& id) { return asked(site, get("/ui?request=" + id)); };
    for (int i = 0; i < 100; ++i) REQUIRE(has(look(ids[0]).body, "requestId: " + ids[0]));
    CHECK(site.metric(looked) == 1);

    int shown = 1;
    HttpAnswer last;
    for (std::size_t i = 1; i < ids.size(); ++i) {
        last = look(ids[i]);
        shown += last.status == 200;
        CHECK((last.status == 200 || last.status == 429));
        CHECK(has(last.body, "requestId: " + ids[i]) == (last.status == 200));
    }
    CHECK(last.status == 429);
    CHECK(std::stoi("0" + last.header("retry-after")) > 0);
    CHECK(has(last.body, "holdfastctl explain"));
    CHECK(site.metric(looked) == shown);  // nothing is shown that is not written down
    CHECK(look(ids[0]).status == 200);    // as the entry of this minute says
    CHECK(look("req-none").status == 200);
    CHECK(asked(site, get("/ui")).status == 200);
    CHECK(site.metric(looked) == shown);
    CHECK(site.ctl({"explain", ids.back()}).status == 0);
}
