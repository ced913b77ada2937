// The configuration changes while a node serves: all or nothing, nobody notices, nothing that an operator ordered is
// lost, and what was in force before can be had back.
#include <fmt/format.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

void edit(const Site& site, const std::string& from, const std::string& to) {
    std::string text = read_file(site.config_file());
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    write_file(site.config_file(), text);
}

// Without the file watch, so that only the verb counts.
Terms by_verb() {
    Terms terms;
    terms.more = "[config_source]\nwatch = false\n";
    return terms;
}

std::int64_t generation(const Site& site) {
    return site.admin_get("/v1/status")["config"]["generation"].integer().value_or(-1);
}

struct Lane {
    int answered = 0, other = 0;
    bool broken = false;
};

Lane ask_until(const Site& site, int number, const std::atomic<bool>& over) {
    Lane lane;
    Client client = site.connect();
    for (int i = 0; !over; ++i) {
        const std::string order = fmt::format("lane{}-{}", number, i);
        const bool sent = client.send(site.bytes(verify_ask(order, "LOGIN", "user-" + order)), 5s);
        const auto answer = sent ? client.answer(5s) : std::nullopt;
        if (!answer) {
            lane.broken = true;
            return lane;
        }
        ++(answer->status == 200 ? lane.answered : lane.other);
    }
    return lane;
}

}  // namespace

TEST_CASE("e2e: twenty reloads under load reset nobody and lose nothing, orders and circuit stay", "[alone]") {
    Terms terms = by_verb();
    terms.limits = "connections = 500";
    Site site(std::move(terms));
    REQUIRE(site.ctl({"degrade", "on", "--scene", "PAYMENT", "--reason", "drill"}).status == 0);
    std::atomic<bool> over = false;
    std::vector<Lane> lanes(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < lanes.size(); ++i)
        threads.emplace_back([&, i] { lanes[i] = ask_until(site, static_cast<int>(i), over); });
    const bool warm = eventually(10s, [&] { return site.centre_requests() > 20; });
    int failed = 0;
    std::int64_t before = site.centre_requests(), idle = 0;
    for (int i = 0; i < 20; ++i) {
        edit(site, fmt::format("connections = {}", 500 + i), fmt::format("connections = {}", 501 + i));
        edit(site, fmt::format("max_age = \"{}m\"", 15 + i), fmt::format("max_age = \"{}m\"", 16 + i));
        // A server goes, another comes, and the first again.
        edit(site, i % 2 == 0 ? "http://127.0.0.1:" : "http://localhost:",
             i % 2 == 0 ? "http://localhost:" : "http://127.0.0.1:");
        failed += site.ctl({"config", "reload"}).status != 0;
        const std::int64_t now = site.centre_requests();
        idle += now == before;
        before = now;
    }
    over = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(warm);
    CHECK(failed == 0);
    CHECK(idle <= 2);
    int answered = 0;
    for (const Lane& lane : lanes) {
        CHECK_FALSE(lane.broken);
        CHECK(lane.other == 0);
        answered += lane.answered;
    }
    CHECK(answered > 40);
    CHECK(generation(site) == 21);
    CHECK(site.metric("holdfast_config_last_reload_successful") == 1);
    CHECK(site.circuit() == "closed");
    CHECK(site.admin_get("/v1/status")["mode"]["overrides"].first()["scene"].text() == "PAYMENT");
    CHECK(site.ctl({"config", "show"}).out.find("connections = 520") != std::string::npos);
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
}

TEST_CASE("e2e: a reload that is refused changes nothing and says where, one that needs a restart says what",
          "[alone]") {
    Site site(by_verb());
    const std::string good = read_file(site.config_file());
    edit(site, "max_age = \"15m\"", "max_age = \"15 m\"");
    edit(site, "[scene.PAYMENT]", "[scene.REFUND]\n[scene.PAYMENT]\nunknown = 1");
    const Finished refused = site.ctl({"config", "reload"});
    CHECK(refused.status == 78);
    CHECK(refused.err.find("unknown key scene.PAYMENT.unknown") != std::string::npos);
    CHECK(refused.err.find("scene.LOGIN.cache.max_age") != std::string::npos);
    CHECK(refused.err.find("^\n") != std::string::npos);
    const Json status = site.admin_get("/v1/status");
    CHECK(status["config"]["lastReloadSuccessful"].boolean() == false);
    CHECK(status["config"]["failedBy"].text().value_or("").starts_with("uid "));
    CHECK(generation(site) == 1);
    CHECK(site.metric("holdfast_config_last_reload_successful") == 0);
    CHECK(site.ask(verify_ask(site.order(), "REFUND", "user-1")).status != 200);
    CHECK(site.ctl({"status"}).out.find("refused at") != std::string::npos);
    write_file(site.config_file(), good);
    edit(site, "nonces = 100000", "nonces = 200000");
    edit(site, "[scene.PAYMENT]", "[scene.REFUND]\n[scene.PAYMENT]");
    edit(site, R"(scenes = ["LOGIN", "PAYMENT"])", R"(scenes = ["LOGIN", "PAYMENT", "REFUND"])");
    const Finished done = site.ctl({"config", "reload"});
    CHECK(done.status == 0);
    CHECK(done.err.find("needs a restart: auth.nonces") != std::string::npos);
    CHECK(site.ask(verify_ask(site.order(), "REFUND", "user-1")).status == 200);
    CHECK(site.metric(R"(holdfast_requests_total{code="OK",outcome="pass",scene="REFUND",source="live"})") == 1);
    CHECK(site.ctl({"config", "show", "--origin"}).out.find("auth.nonces") != std::string::npos);
    CHECK(site.journal().find(R"("action":"refused")") != std::string::npos);
}

TEST_CASE("e2e: a changed file and a changed secret are taken up by themselves, a bad one is told once") {
    Site site;
    const std::string old_secret = read_file(site.secret_file("app"));
    write_file(site.secret_file("app"), "another-secret-of-app-0123456789\n");
    REQUIRE(eventually(10s, [&] { return generation(site) == 2; }));
    Ask with_old = verify_ask(site.order(), "LOGIN", "user-1");
    with_old.secret = old_secret.substr(0, old_secret.size() - 1);
    CHECK(site.ask(with_old).code() == "InvalidSignature");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    const std::string good = read_file(site.config_file());
    for (int i = 0; i < 2; ++i) {
        write_file(site.config_file(), good.substr(0, good.size() / 2) + "\n[broken");
        REQUIRE(eventually(10s, [&] { return site.metric("holdfast_config_last_reload_successful") == 0; }));
    }
    edit(site, "[broken", "\n[broken");
    edit(site, "\n[broken", "[broken");
    write_file(site.config_file(), good);
    REQUIRE(eventually(10s, [&] { return site.metric("holdfast_config_last_reload_successful") == 1; }));
    CHECK(generation(site) == 2);
    const std::string log = site.log();
    const auto first = log.find("refused, generation 2 stays");
    CHECK(first != std::string::npos);
    CHECK(log.find("refused, generation 2 stays", first + 1) == std::string::npos);
}

TEST_CASE(
    "e2e: a configuration behind links is taken up when a link moves, the file changes or its folder is another") {
    namespace fs = std::filesystem;
    Site site;
    const fs::path dir = site.dir(), file = site.config_file();
    const auto holds = [&site](const std::string& limit) {
        return eventually(10s, [&] { return site.ctl({"config", "show"}).out.find(limit) != std::string::npos; });
    };
    const std::string text = read_file(file);
    const auto with = [&text](const std::string& age) {
        std::string out = text;
        return out.replace(out.find("\"2m\""), 4, "\"" + age + "\"");
    };
    for (const char* name : {"a", "b"}) fs::create_directory(dir / name);
    write_file(dir / "a/real.toml", text);
    write_file(dir / "b/real.toml", with("3m"));
    fs::create_directory_symlink(dir / "a", dir / "current");
    fs::create_symlink(dir / "current/real.toml", dir / "link");
    fs::rename(dir / "link", file);
    REQUIRE(holds("cache.max_age = \"2m\""));
    pause_for(3s);  // whatever that has begun is over

    fs::create_directory_symlink(dir / "b", dir / "next");
    fs::rename(dir / "next", dir / "current");
    CHECK(holds("cache.max_age = \"3m\""));
    write_file(dir / "b/real.toml", with("4m"));
    CHECK(holds("cache.max_age = \"4m\""));
    write_file(dir / "a/real.toml", with("5m"));
    fs::rename(dir / "b", dir / "old");
    fs::rename(dir / "a", dir / "b");
    CHECK(holds("cache.max_age = \"5m\""));
    write_file(dir / "b/real.toml", with("6m"));
    CHECK(holds("cache.max_age = \"6m\""));
}

TEST_CASE("e2e: a rollback holds over file and restart until an operator reloads", "[alone]") {
    Site site;
    edit(site, "max_age = \"2m\"", "max_age = \"3m\"");
    REQUIRE(site.ctl({"config", "reload"}).status == 0);
    REQUIRE(generation(site) == 2);
    const Finished back = site.ctl({"config", "rollback", "--reason", "three minutes were too many"});
    INFO(back.err);
    REQUIRE(back.status == 0);
    CHECK(back.out.find("do not count until") != std::string::npos);
    CHECK(generation(site) == 3);
    const auto age = [&] {
        const std::string shown = site.ctl({"config", "show"}).out;
        return shown.find("cache.max_age = \"2m\"") != std::string::npos ? 2 : 3;
    };
    CHECK(age() == 2);
    CHECK(site.admin_get("/v1/status")["config"]["held"]["generation"].integer() == 1);
    CHECK(site.metric("holdfast_config_held") == 1);
    CHECK(site.journal().find("three minutes were too many") != std::string::npos);
    edit(site, "max_age = \"3m\"", "max_age = \"4m\"");
    REQUIRE(eventually(
        10s, [&] { return site.admin_get("/v1/status")["config"]["held"]["newerWaits"].boolean() == true; }));
    CHECK(age() == 2);
    // The fixture writes the file anew for each start; 2m stands in it, but for the one word that tells.
    site.terms().scenes.replace(site.terms().scenes.find("\"2m\""), 4, "\"5m\"");
    REQUIRE(site.stop_node(SIGINT) == 0);
    REQUIRE(site.start_node());
    CHECK(age() == 2);
    CHECK(site.ctl({"status"}).out.find("a rollback holds generation 1") != std::string::npos);
    const Finished history = site.ctl({"config", "history"});
    CHECK(history.out.find("generation 1") != std::string::npos);
    CHECK(history.out.find("held by a rollback") != std::string::npos);
    REQUIRE(site.ctl({"config", "reload"}).status == 0);
    CHECK(site.ctl({"config", "show"}).out.find("cache.max_age = \"5m\"") != std::string::npos);
    CHECK_FALSE(site.admin_get("/v1/status")["config"]["held"]);
    CHECK(site.ctl({"config", "rollback", "--to", "77"}).status == 1);
}

TEST_CASE("e2e: an upstream that becomes one over TLS by a reload answers, as ca_file stays", "[beside]") {
    Site site(by_verb());
    const std::string out = site.dir() + "/tls.out";
    const Process centre({program("central-sim"), "--listen", "127.0.0.1:0", "--plan", R"({"failPercent":0})", "--cert",
                          site.ca(), "--key", site.dir() + "/key.pem"},
                         out, site.dir() + "/tls.err");
    edit(site, "kind = \"central\"\n", fmt::format("kind = \"central\"\nca_file = \"{}\"\n", site.ca()));
    REQUIRE(site.ctl({"config", "reload"}).status == 0);
    REQUIRE(eventually(10s, [&] { return read_file(out).find('\n') != std::string::npos; }));
    const std::string text = read_file(site.config_file());
    const auto at = text.find("http://127.0.0.1:", text.find("[[upstream.endpoint]]"));
    edit(site, text.substr(at, text.find('"', at) - at),
         fmt::format("https://127.0.0.1:{}", static_cast<int>(Json(read_file(out)).number("port"))));
    REQUIRE(site.ctl({"config", "reload"}).status == 0);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).json().text("source") == "live");
}

TEST_CASE("e2e: SIGUSR1 has both logs begin new files and takes up nothing else, SIGHUP takes up the file, too",
          "[alone]") {
    const struct Folder {
        std::string path = memory_folder();
        ~Folder() { std::filesystem::remove_all(path); }
    } folder;
    Terms terms = by_verb();
    terms.log = fmt::format("file = \"{}/ops.log\"", folder.path);
    Site site(std::move(terms));
    const std::string access = site.dir() + "/access.log", ops = folder.path + "/ops.log";
    const auto asks = [&site] { return site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200; };
    REQUIRE(asks());
    REQUIRE(eventually(5s, [&] { return !read_file(access).empty() && !read_file(ops).empty(); }));
    edit(site, "max_age = \"15m\"", "max_age = \"16m\"");

    std::filesystem::rename(access, access + ".1");
    std::filesystem::rename(ops, ops + ".1");
    const std::size_t lines = read_file(access + ".1").size();
    site.node().signal(SIGUSR1);
    CHECK(eventually(5s, [&] { return std::filesystem::exists(access) && std::filesystem::exists(ops); }));
    CHECK(asks());
    CHECK(eventually(5s, [&] { return read_file(access).find("\"LOGIN\"") != std::string::npos; }));
    CHECK(read_file(access + ".1").size() == lines);
    CHECK(generation(site) == 1);
    CHECK(site.ctl({"config", "show"}).out.find("max_age = \"15m\"") != std::string::npos);

    site.node().signal(SIGHUP);
    CHECK(eventually(5s, [&] { return generation(site) == 2; }));
    CHECK(site.ctl({"config", "show"}).out.find("max_age = \"16m\"") != std::string::npos);
    CHECK(eventually(5s, [&] { return !read_file(ops).empty(); }));
}

TEST_CASE("e2e: SIGUSR1 ends no node, neither one that does not listen to it yet nor one that drains", "[alone]") {
    Terms terms = by_verb();
    terms.drain = "lame_duck = \"600ms\"";
    Site site(std::move(terms));
    // A successor says that it is prepared, and then waits for a state that it does not get.
    int channel[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0);
    REQUIRE(::fcntl(channel[0], F_SETFD, FD_CLOEXEC) == 0);  // ours alone: it must see that we have gone
    Process successor({"bash", "-c", fmt::format("export HOLDFAST_HANDOVER={}; exec \"$@\"", channel[1]), "starter",
                       program("holdfast"), "--config", site.config_file()},
                      "", site.dir() + "/successor.log");
    ::close(channel[1]);
    char said[16] = {};
    CHECK(::recv(channel[0], said, sizeof said, 0) > 0);
    CHECK(std::string(said) == "prepared\n");
    successor.signal(SIGUSR1);
    pause_for(100ms);
    ::close(channel[0]);
    CHECK(successor.wait(5s) == 1);  // as one whose predecessor has gone

    site.node().signal(SIGTERM);
    REQUIRE(eventually(5s, [&site] { return site.monitor("/readyz").status == 503; }));
    site.node().signal(SIGUSR1);
    CHECK(site.node().wait(5s) == 0);
}
