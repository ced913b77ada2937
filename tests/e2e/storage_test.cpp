// Damaged, foreign, full and missing storage under a whole node: it starts, it forwards, it says so, and it keeps what
// was damaged.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <functional>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPage = 4096;

struct Damage {
    std::string name;
    std::function<void(std::string&)> to;  // the bytes of data.mdb
};

void overwrite(std::string& bytes, std::size_t at, char with) {
    for (std::size_t i = at; i < std::min(bytes.size(), at + kPage); ++i)
        bytes[i] = with != 0 ? static_cast<char>(bytes[i] * 31 + static_cast<char>(i * 7) + with) : '\0';
}

// Every page behind the two meta pages: whichever the trees use is hit.
void overwrite_all(std::string& bytes, char with) {
    for (std::size_t at = 2 * kPage; at < bytes.size(); at += kPage) overwrite(bytes, at, with);
}

std::vector<Damage> damages() {
    return {
        {"cut to a half", [](std::string& b) { b.resize(b.size() / 2 / kPage * kPage); }},
        {"cut inside of a page", [](std::string& b) { b.resize(b.size() / 2 / kPage * kPage + 100); }},
        {"cut to one page", [](std::string& b) { b.resize(kPage); }},
        {"pages of zeros", [](std::string& b) { overwrite_all(b, 0); }},
        {"pages of noise", [](std::string& b) { overwrite_all(b, 5); }},
        {"meta pages of zeros", [](std::string& b) { overwrite(b, 0, 0), overwrite(b, kPage, 0); }},
        {"a foreign version", [](std::string& b) { b[20] = b[kPage + 20] = 99; }},
        {"no LMDB at all", [](std::string& b) { b = std::string(3 * kPage, 'x'); }},
    };
}

bool moved_aside(const Site& site, const std::string& part) {
    for (const auto& entry : fs::directory_iterator(site.dir() + "/data")) {
        const std::string name = entry.path().filename();
        if (name.starts_with(part) && name.find("bad") != std::string::npos) return true;
    }
    return false;
}

void damage(const Site& site, const std::string& part, const Damage& how) {
    const std::string path = site.data(part + "/data.mdb");
    std::string bytes = read_file(path);
    REQUIRE(bytes.size() > 3 * kPage);
    how.to(bytes);
    write_file(path, bytes);
}

void remember_some(Site& site) {
    Client client = site.connect();
    for (int i = 0; i < 60; ++i) {
        REQUIRE(client.send(site.bytes(verify_ask(site.order(), "LOGIN", "known-" + std::to_string(i)))));
        REQUIRE(client.answer().value_or(HttpAnswer{}).status == 200);
    }
    pause_for(200ms);  // until it is durable
}

void kill_node(Site& site) {
    site.node().signal(SIGKILL);
    REQUIRE(site.node().wait(5s) == 128 + SIGKILL);
}

void says_so(const Site& site) {
    CHECK(eventually(2s, [&site] { return site.journal().find("\"damage\"") != std::string::npos; }));
    CHECK(site.log().find("storage: ") != std::string::npos);
    const Json status = site.admin_get("/v1/status");
    bool event = false;
    for (json::Value v = status["events"].first(); v; v = v.next()) event = event || v["kind"].text() == "storage";
    CHECK(event);
}

// A node whose state/ was damaged lets nobody in from memory until an operator resets it.
void damage_state(const Damage& how) {
    INFO(how.name);
    Site site;
    remember_some(site);
    kill_node(site);
    damage(site, "state", how);
    REQUIRE(site.start_node());
    INFO(site.log());
    CHECK(moved_aside(site, "state"));
    says_so(site);
    CHECK(site.admin_get("/v1/status")["state"]["healthy"].boolean() == false);
    CHECK(site.metric("holdfast_store_up{store=\"state\"}") == 0);
    Ask signed_before = verify_ask(site.order(), "LOGIN", "known-1");
    signed_before.shift = -60;  // before the start, of whose nonces nothing is known
    CHECK(site.ask(signed_before).code() == "RequestExpired");
    pause_for(1100ms);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known-1")).json().text("source") == "live");
    REQUIRE(site.ctl({"degrade", "on", "--reason", "test"}).status == 0);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known-1")).code() == "VerificationUnavailable");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "never")).code() == "VerificationUnavailable");
    REQUIRE(site.ctl({"state", "reset", "--reason", "revocations were looked through"}).status == 0);
    CHECK(site.admin_get("/v1/status")["state"]["healthy"].boolean() == true);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known-1")).json().text("source") == "cache");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "never")).json().text("source") == "policy");
    CHECK(site.stop_node(SIGTERM) == 0);
}

}  // namespace

TEST_CASE("e2e: a damaged cache is moved aside, and the node verifies and remembers anew", "[beside]") {
    for (const Damage& how : damages()) {
        INFO(how.name);
        Site site;
        remember_some(site);
        kill_node(site);
        damage(site, "cache", how);
        REQUIRE(site.start_node());
        INFO(site.log());
        CHECK(moved_aside(site, "cache"));
        says_so(site);
        CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known-1")).json().text("source") == "live");
        CHECK(site.ask(lookup_ask("asked-5")).status == 404);
        REQUIRE(site.ctl({"degrade", "on", "--reason", "test"}).status == 0);
        CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known-1")).json().text("source") == "cache");
        CHECK(site.ask(verify_ask(site.order(), "PAYMENT", "known-2")).code() == "VerificationUnavailable");
        CHECK(site.stop_node(SIGTERM) == 0);
    }
}

TEST_CASE("e2e: a cache that was cut or exchanged while the node was cleanly stopped is not believed", "[beside]") {
    for (const Damage& how : damages()) {
        if (how.name.starts_with("pages of")) continue;  // found record by record, each by its seal
        INFO(how.name);
        Site site;
        remember_some(site);
        REQUIRE(site.stop_node(SIGTERM) == 0);
        damage(site, "cache", how);
        REQUIRE(site.start_node());
        INFO(site.log());
        CHECK(moved_aside(site, "cache"));
        CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known-1")).json().text("source") == "live");
        CHECK(site.stop_node(SIGTERM) == 0);
    }
}

TEST_CASE("e2e: without a sound state nobody is let in from memory until the operator resets it", "[beside]") {
    const auto all = damages();
    for (std::size_t i = 0; i < all.size(); i += 2) damage_state(all[i]);
}

TEST_CASE("e2e: the same for the other ways in which a state is damaged", "[beside]") {
    const auto all = damages();
    for (std::size_t i = 1; i < all.size(); i += 2) damage_state(all[i]);
}

TEST_CASE("e2e: a journal with a damaged tail is cut at its last valid entry, and the cut is kept and told",
          "[beside]") {
    Site site;
    REQUIRE(site.ctl({"degrade", "on", "--scene", "LOGIN", "--reason", "an entry"}).status == 0);
    kill_node(site);
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(site.data("journal")))
        if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
    REQUIRE(files.size() == 1);
    write_file(files.front(), read_file(files.front()) + "{\"seq\":99,\"torn");
    REQUIRE(site.start_node());
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
    says_so(site);
    CHECK(site.journal().find("an entry") != std::string::npos);
    std::size_t kept = 0;
    for (const auto& entry : fs::directory_iterator(site.data("journal")))
        kept += read_file(entry.path()).find("{\"seq\":99,\"torn") != std::string::npos;
    CHECK(kept == 1);
}

TEST_CASE("e2e: a journal that was edited is told, by holdfastctl too", "[beside]") {
    Site site;
    REQUIRE(site.ctl({"degrade", "on", "--scene", "LOGIN", "--reason", "the true reason"}).status == 0);
    REQUIRE(site.stop_node(SIGTERM) == 0);
    for (const auto& entry : fs::directory_iterator(site.data("journal"))) {
        std::string text = read_file(entry.path());
        const auto at = text.find("the true reason");
        if (at != std::string::npos) write_file(entry.path(), text.replace(at, 8, "the kind"));
    }
    REQUIRE(site.start_node());
    INFO(site.log());
    const bool told = site.log().find("journal") != std::string::npos;
    CHECK(told);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status != 0);
}

TEST_CASE("e2e: without a journal there is no provisional answer, and everything else goes on", "[beside]") {
    Site site;
    REQUIRE(site.stop_node(SIGTERM) == 0);
    fs::rename(site.data("journal"), site.dir() + "/journal-of-before");
    write_file(site.data("journal"), "a file where a folder should be");
    REQUIRE(site.start_node());
    CHECK(site.admin_get("/v1/status")["journal"]["healthy"].boolean() == false);
    CHECK(site.metric("holdfast_store_up{store=\"journal\"}") == 0);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known")).json().text("source") == "live");
    site.centre(R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known")).json().text("source") == "cache");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "unknown")).code() == "VerificationUnavailable");
    CHECK(site.ctl({"cache", "revoke", "--subject", "somebody"}).status != 0);  // it stands, and is not entered
    CHECK(site.ctl({"degrade", "on", "--reason", "test"}).status != 0);
    fs::remove(site.data("journal"));
    fs::rename(site.dir() + "/journal-of-before", site.data("journal"));
    CHECK(eventually(10s, [&site] { return site.metric("holdfast_store_up{store=\"journal\"}") == 1; }));
    CHECK(site.metric("holdfast_store_up{store=\"evidence\"}") == 1);
    CHECK(site.ctl({"degrade", "on", "--reason", "test"}).status == 0);
    CHECK(site.journal().find("\"revocation\"") != std::string::npos);
    CHECK(site.ctl({"journal", "verify"}).status == 0);
    CHECK(site.stop_node(SIGTERM) == 0);
}

TEST_CASE("e2e: without a place for evidence there is no provisional answer, and the log says so", "[beside]") {
    Site site;
    REQUIRE(site.stop_node(SIGTERM) == 0);
    fs::remove_all(site.data("journal/evidence"));
    write_file(site.data("journal/evidence"), "a file where a folder should be");
    REQUIRE(site.start_node());
    CHECK(site.log().find("journal/evidence/ could not be opened") != std::string::npos);
    CHECK(site.metric("holdfast_store_up{store=\"evidence\"}") == 0);
    CHECK(site.metric("holdfast_store_up{store=\"journal\"}") == 1);
    CHECK(site.ctl({"status"}).out.find("no provisional answers") != std::string::npos);
    site.centre(R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "unknown")).code() == "VerificationUnavailable");
}

TEST_CASE("e2e: a full cache makes room or does without, and every request is verified", "[alone]") {
    Terms terms;
    terms.cache = "size = \"1MiB\"";
    Site site(std::move(terms));
    const Finished load = run(site.load_arguments({"--connections", "8", "--max-requests", "6000", "--duration", "12s",
                                                   "--subjects", "100000"}),
                              {}, 20s);
    INFO(load.out << load.err);
    REQUIRE(load.status == 0);
    const auto last = load.out.rfind("{\"summary\"");
    REQUIRE(last != std::string::npos);
    const Json summary(load.out.substr(last));
    CHECK(summary.number("failures") == 0);
    CHECK(summary.number("answered") > 500);
    for (json::Value v = summary["answers"].first(); v; v = v.next()) CHECK(v["source"].text() == "live");
    CHECK(fs::file_size(site.data("cache/data.mdb")) <= (2u << 20));
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "after")).json().text("source") == "live");
    CHECK(site.stop_node(SIGTERM) == 0);
}

TEST_CASE("e2e: a second node on the same folder is refused, and the first goes on", "[beside]") {
    Site site;
    std::string config = read_file(site.config_file());
    config.replace(config.find("listen]\naddress = \"127.0.0.1:") + 29, 5, std::to_string(free_port()));
    const auto socket = config.find("admin.sock");
    config.replace(socket, 10, "other.sock");
    const auto admin = config.find("listen = \"127.0.0.1:") + 20;
    config.replace(admin, 5, std::to_string(free_port()));
    write_file(site.dir() + "/second.toml", config);
    const Finished second = run({program("holdfast"), "--config", site.dir() + "/second.toml"});
    CHECK(second.status == 1);
    CHECK(second.err.find("cannot start") != std::string::npos);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
}
