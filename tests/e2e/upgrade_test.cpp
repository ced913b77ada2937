// A node that is replaced by a new process of itself: nobody loses a request, what was remembered is remembered, and a
// new process that fails harms nobody.
#include <sys/prctl.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "tests/support/e2e_consul.h"
#include "tests/support/e2e_fleet.h"
#include "tests/support/e2e_lanes.h"
#include "tests/support/etcd_process.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

void adopt_orphans() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

std::string pid_text(Site& site) {
    return std::to_string(static_cast<long>(site.admin_get("/v1/status")["node"]["pid"].number().value_or(-1)));
}

// A site whose program can be replaced by another one.
Terms own_program(const std::string& path) {
    adopt_orphans();
    std::filesystem::copy_file(program("holdfast"), path, std::filesystem::copy_options::overwrite_existing);
    Terms terms;
    terms.program = path;
    return terms;
}

struct Folder {
    std::string path = "/tmp/holdfast-e2e-upgrade-XXXXXX";
    Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
    ~Folder() { std::filesystem::remove_all(path); }
};

// What stands at `path` from now on: a file of its own, because the old one may be running.
void install(const std::string& path, const std::string& script) {
    write_file(path + ".new", "#!/bin/sh\nfd=${HOLDFAST_HANDOVER%% *}\n" + script);
    std::filesystem::permissions(path + ".new", std::filesystem::perms::owner_all);
    std::filesystem::rename(path + ".new", path);
}

// A successor that is told to take over, says so in `folder`, and does nothing.
void install_idler(const Folder& folder) {
    install(folder.path + "/holdfast", fmt::format("echo $$ > {0}/pid\nprintf 'prepared\\n' >&$fd\nread -r go <&$fd\n"
                                                   "echo > {0}/told\nread -r more <&$fd\n",
                                                   folder.path));
}
bool told_to_take_over(const Folder& folder) {
    return eventually(5s, [&] { return std::filesystem::exists(folder.path + "/told"); });
}

// What waits for its connection to be accepted, having asked.
Client waiting_client(Site& site) {
    Client client = site.connect();
    REQUIRE(client.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-waiting"))));
    return client;
}

bool not_ready(const Site& site) {
    return site.monitor("/readyz").status == 503;
}

}  // namespace

TEST_CASE("e2e: twenty upgrades under load cost no request, no connection, no nonce and no order", "[alone]") {
    adopt_orphans();
    Site site;
    Ask first = verify_ask(site.order(), "LOGIN", "user-1");
    first.nonce = "nonce-used-before-upgrades";
    REQUIRE(site.ask(first).status == 200);
    Lanes lanes(site, {2ms, 5ms, 5ms, 20ms, 50ms, 400ms});
    for (int i = 0; i < 20; ++i) {
        INFO(i << "\n" << site.log());
        REQUIRE(site.upgrade());
    }
    const LaneSeen seen = lanes.stop();
    INFO(seen.first_trouble << "\nanswered " << seen.answered << ", slowest "
                            << std::chrono::duration_cast<Millis>(seen.slowest).count() << " ms");
    CHECK(seen.lost == 0);
    CHECK(seen.refused == 0);
    CHECK(seen.other == 0);
    CHECK(seen.answered > 200);
    CHECK(seen.slowest < 5s);
    Ask again = verify_ask(site.order(), "LOGIN", "user-2");
    again.nonce = first.nonce;
    CHECK(site.ask(again).code() == "NonceReplayed");
    CHECK(site.ask(lookup_ask("asked-1")).json().text("source") == "live");
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
    CHECK(site.monitor("/readyz").status == 200);
    CHECK(site.log().find("as after a crash") == std::string::npos);
    CHECK(site.stop_node(SIGTERM, 5s) == 0);
    CHECK_FALSE(std::filesystem::exists(site.admin_socket()));
}

TEST_CASE("e2e: a client that is connected and has not asked yet is answered by the node that it reached", "[alone]") {
    adopt_orphans();
    Terms terms;  // what is asked before is under way when the new process is ready, also where that starts slowly
    terms.upstream = "deadline = \"3s\"\ntimeout_max = \"2s\"\ntimeout_min = \"2s\"";
    Site site(std::move(terms), R"({"latencyMs":{"min":1200,"max":1200}})");
    Client fresh = site.connect(), slow = site.connect();
    REQUIRE(slow.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1"))));
    std::thread asking([&] {
        REQUIRE(eventually(5s, [&] { return site.log().find("handing over") != std::string::npos; }));
        pause_for(100ms);
        fresh.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-2")));
    });
    const auto upgraded = site.upgrade();
    asking.join();
    REQUIRE(upgraded);
    for (Client* client : {&fresh, &slow}) {
        const auto answer = client->answer();
        REQUIRE(answer);
        CHECK(answer->status == 200);
        CHECK(answer->header("Connection") == "close");
        CHECK(client->until_closed(3s) == "");
        CHECK_FALSE(client->was_reset());
    }
}

TEST_CASE("e2e: a new process with a broken configuration is refused, and the node serves on", "[alone]") {
    adopt_orphans();
    Site site;
    const std::string before = pid_text(site);
    const std::string good = read_file(site.config_file());
    write_file(site.config_file(), good + "\n[nonsense]\n");
    const Finished done = site.ctl({"upgrade"});
    CHECK(done.status == 1);
    CHECK(done.err.find("nonsense") != std::string::npos);
    CHECK(done.err.find("serves on") != std::string::npos);
    CHECK(pid_text(site) == before);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    write_file(site.config_file(), good);
    REQUIRE(site.upgrade());
    CHECK(pid_text(site) != before);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
}

TEST_CASE("e2e: a new process that fails at any moment is killed, and the node serves on with its state", "[alone]") {
    const Folder folder;
    const std::string path = folder.path + "/holdfast";
    Site site(own_program(path));
    const std::string before = pid_text(site), order = site.order();
    REQUIRE(site.ask(verify_ask(order, "LOGIN", "user-1")).status == 200);
    const auto refused = [&](const std::string& script, const std::string& why) {
        install(path, script);
        Lanes lanes(site, {5ms, 20ms});
        const Finished done = site.ctl({"upgrade"});
        INFO(script << done.err);
        CHECK(done.status == 1);
        CHECK(done.err.find(why) != std::string::npos);
        const LaneSeen seen = lanes.stop();
        INFO(seen.first_trouble);
        CHECK(seen.lost + seen.refused + seen.other == 0);
        CHECK(seen.answered > 0);
        CHECK(pid_text(site) == before);
    };
    refused("exit 3\n", "it ended with status 3");
    refused("printf 'failed the disk is gone\\n' >&$fd\nexit 1\n", "the disk is gone");
    refused("printf 'prepared\\n' >&$fd\nexit 4\n", "it ended with status 4");
    refused("printf 'prepared\\n' >&$fd\nread -r go <&$fd\nprintf 'failed no memory\\n' >&$fd\nexit 1\n", "no memory");
    std::filesystem::remove(path);
    CHECK(site.ctl({"upgrade"}).status == 1);
    CHECK(site.ask(lookup_ask(order)).json().text("source") == "live");
    CHECK(site.admin_get("/v1/upgrade").text("state") == "failed");
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
}

TEST_CASE("e2e: a drain that is given while a new process prepares itself stands, and the upgrade fails", "[alone]") {
    const Folder folder;
    const std::string path = folder.path + "/holdfast", may = folder.path + "/may";
    Site site(own_program(path));
    const std::string before = pid_text(site);
    install(path, fmt::format("while [ ! -e {} ]; do sleep 0.01; done\nprintf 'prepared\\n' >&$fd\nread -r go <&$fd\n",
                              may));
    Finished done;
    std::thread upgrading([&] { done = site.ctl({"upgrade"}); });
    const bool prepares = eventually(5s, [&] { return site.admin_get("/v1/upgrade").text("state") == "preparing"; });
    const int drained = site.ctl({"drain"}).status;
    write_file(may, "");
    upgrading.join();
    INFO(done.err);
    CHECK(prepares);
    CHECK(drained == 0);
    CHECK(done.status == 1);
    CHECK(done.err.find("the node was drained meanwhile") != std::string::npos);
    CHECK(pid_text(site) == before);
    CHECK(site.monitor("/readyz").status == 503);
    REQUIRE(site.ctl({"undrain"}).status == 0);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
}

TEST_CASE("e2e: a new process that hangs is ended, the node serves on meanwhile, and the next upgrade works",
          "[alone]") {
    const Folder folder;
    const std::string path = folder.path + "/holdfast", pid_file = folder.path + "/pid";
    Site site(own_program(path));
    const std::string before = pid_text(site);
    install(path, "echo $$ > " + pid_file + "\ntrap '' TERM\nread -r never <&$fd\n");
    REQUIRE(site.admin("POST", "/v1/upgrade", "{}").status == 200);
    REQUIRE(eventually(5s, [&] { return !read_file(pid_file).empty(); }));
    Lanes lanes(site, {5ms, 20ms});
    CHECK(site.ctl({"upgrade"}).status == 1);  // one is under way
    const auto state = [&] { return site.admin_get("/v1/upgrade").text("state"); };
    CHECK(state() == "preparing");
    REQUIRE(eventually(15s, [&] { return state() == "failed"; }));
    CHECK(site.admin_get("/v1/upgrade").text("error") == "it was not prepared within 10s");
    CHECK(::kill(static_cast<pid_t>(std::stol(read_file(pid_file))), 0) != 0);
    CHECK(pid_text(site) == before);
    std::filesystem::copy_file(program("holdfast"), path + ".new", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(path + ".new", path);
    CHECK(site.upgrade());
    const LaneSeen seen = lanes.stop();
    INFO(seen.first_trouble);
    CHECK(seen.lost + seen.refused + seen.other == 0);
    CHECK(seen.answered > 100);
    CHECK(pid_text(site) != before);
}

TEST_CASE("e2e: an upgrade that failed is told once the next one can be asked for", "[alone]") {
    const Folder folder;
    const std::string path = folder.path + "/holdfast";
    Site site(own_program(path), R"({"latencyMs":{"min":300,"max":300}})");
    install(path, "printf 'prepared\\n' >&$fd\nexit 4\n");
    Client slow = site.connect();
    REQUIRE(slow.send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1"))));
    for (int i = 0; i < 3; ++i) {
        const Finished done = site.ctl({"upgrade"});
        CHECK(done.status == 1);
        CHECK(done.err.find("it ended with status 4") != std::string::npos);
    }
    const auto answer = slow.answer();
    REQUIRE(answer);
    CHECK(answer->status == 200);
}

TEST_CASE("e2e: a node that is told to end during an upgrade ends, and leaves no new process", "[beside]") {
    const Folder folder;
    const std::string path = folder.path + "/holdfast";
    Site site(own_program(path));
    install(path, "echo $$ > " + folder.path +
                      "/pid\nprintf 'prepared\\n' >&$fd\nread -r go <&$fd\nread -r more <&$fd\n");
    REQUIRE(site.admin("POST", "/v1/upgrade", "{}").status == 200);
    REQUIRE(eventually(5s, [&] { return !read_file(folder.path + "/pid").empty(); }));
    CHECK(site.admin("POST", "/v1/upgrade", "{}").status != 200);
    pause_for(300ms);
    CHECK(site.stop_node(SIGTERM, 5s) == 0);
    CHECK(::kill(static_cast<pid_t>(std::stol(read_file(folder.path + "/pid"))), 0) != 0);
}

TEST_CASE("e2e: a node that is told to end while its successor takes over drains as ever", "[beside]") {
    const Folder folder;
    const Consul consul;
    Terms terms = own_program(folder.path + "/holdfast");
    terms.tls = false;
    terms.drain = "lame_duck = \"1500ms\"";
    terms.more = consul.registration();
    Site site(std::move(terms));
    REQUIRE(eventually(5s, [&] { return site.metric("holdfast_registered") == 1; }));
    const std::string order = site.order();
    REQUIRE(site.ask(verify_ask(order, "LOGIN", "user-1")).status == 200);
    install_idler(folder);
    REQUIRE(site.admin("POST", "/v1/upgrade", "{}").status == 200);
    REQUIRE(told_to_take_over(folder));
    Client waiting = waiting_client(site);
    CHECK(consul.holds("edge-e2e"));
    site.node().signal(SIGTERM);
    const auto answer = waiting.answer(3s);
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->header("Connection") == "close");
    CHECK(eventually(1s, [&] { return not_ready(site); }));
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-2")).status == 200);
    CHECK(eventually(1s, [&] { return !consul.holds("edge-e2e"); }));
    CHECK(consul.entries() == 1);  // it is not entered to be taken out
    CHECK(site.node().wait(8s) == 0);
    CHECK(::kill(static_cast<pid_t>(std::stol(read_file(folder.path + "/pid"))), 0) != 0);
    std::filesystem::copy_file(program("holdfast"), folder.path + "/holdfast.new");
    std::filesystem::rename(folder.path + "/holdfast.new", folder.path + "/holdfast");
    REQUIRE(site.start_node());
    CHECK(site.ask(lookup_ask(order)).json().text("source") == "live");
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
}

TEST_CASE("e2e fleet: a node that is told to end while its successor takes over gives its lease back", "[beside]") {
    const Folder folder;
    Etcd etcd;
    Terms terms = member("pop-0", etcd.urls());
    terms.program = own_program(folder.path + "/holdfast").program;
    terms.drain = "lame_duck = \"0s\"";
    Site a(std::move(terms)), b(member("pop-1", etcd.urls()));
    for (Site* site : {&a, &b}) REQUIRE(leased(*site));
    REQUIRE(eventually(5s, [&] { return live(b) == 2; }));
    install_idler(folder);
    REQUIRE(a.admin("POST", "/v1/upgrade", "{}").status == 200);
    REQUIRE(told_to_take_over(folder));
    Client waiting = waiting_client(a);
    CHECK(live(b) == 2);
    CHECK(a.stop_node(SIGTERM, 8s) == 0);
    const auto answer = waiting.answer(1s);  // also without a lame duck, since it waited for its node
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(eventually(500ms, [&] { return live(b) == 1; }));  // it would run out 3 s after its last renewal
}

TEST_CASE("e2e: a node that is told twice to end while its successor takes over hurries, and leaves its registry",
          "[beside]") {
    const Folder folder;
    const Consul consul;
    Terms terms = own_program(folder.path + "/holdfast");
    terms.drain = "lame_duck = \"30s\"";
    terms.more = consul.registration();
    Site site(std::move(terms));
    REQUIRE(eventually(5s, [&] { return site.metric("holdfast_registered") == 1; }));
    install_idler(folder);
    REQUIRE(site.admin("POST", "/v1/upgrade", "{}").status == 200);
    REQUIRE(told_to_take_over(folder));
    for (int i = 0; i < 2; ++i) {
        site.node().signal(SIGTERM);
        pause_for(5ms);
    }
    CHECK(site.node().wait(8s) == 0);
    CHECK_FALSE(consul.holds("edge-e2e"));
    CHECK(::kill(static_cast<pid_t>(std::stol(read_file(folder.path + "/pid"))), 0) != 0);
}

TEST_CASE("e2e: a node that is told to end while it answers before a hand-over drains as ever", "[alone]") {
    const Folder folder;
    const Consul consul;
    Terms terms = own_program(folder.path + "/holdfast");
    terms.tls = false;
    terms.drain = "lame_duck = \"2s\"";
    terms.upstream = "deadline = \"4s\"\ntimeout_max = \"3900ms\"\ntimeout_min = \"3900ms\"";
    terms.more = consul.registration();
    Site site(std::move(terms), R"({"latencyMs":{"min":3000,"max":3000}})");
    REQUIRE(eventually(5s, [&] { return site.metric("holdfast_registered") == 1; }));
    install_idler(folder);
    Client busy = waiting_client(site);
    REQUIRE(eventually(2s, [&] { return site.centre_requests() == 1; }));
    REQUIRE(site.admin("POST", "/v1/upgrade", "{}").status == 200);
    REQUIRE(eventually(2s, [&] { return site.log().find("handing over") != std::string::npos; }));
    pause_for(100ms);  // its listener is gone
    site.centre("{}");
    Client waiting = waiting_client(site);
    CHECK_FALSE(waiting.answer(200ms));
    site.node().signal(SIGTERM);
    CHECK(eventually(1s, [&] { return not_ready(site); }));
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-2")).status == 200);
    CHECK(eventually(1s, [&] { return !consul.holds("edge-e2e"); }));
    for (Client* client : {&waiting, &busy}) {
        const auto answer = client->answer();
        REQUIRE(answer);
        CHECK(answer->status == 200);
        CHECK(answer->header("Connection") == "close");
    }
    CHECK(site.node().wait(6s) == 0);
    CHECK_FALSE(std::filesystem::exists(folder.path + "/told"));
    CHECK(::kill(static_cast<pid_t>(std::stol(read_file(folder.path + "/pid"))), 0) != 0);
}

TEST_CASE("e2e: a node that is told to end at any instant of an upgrade leaves its registry, and nobody behind",
          "[beside]") {
    adopt_orphans();
    const Consul consul;
    Terms terms;
    terms.tls = false;
    terms.drain = "lame_duck = \"0s\"";
    terms.more = consul.registration();
    Site site(std::move(terms));
    const std::string started = "started as process ";
    std::vector<std::string> orders;
    for (Nanos after{0}; after < 60ms; after += 4ms) {
        INFO(std::chrono::duration_cast<Millis>(after).count() << " ms");
        REQUIRE(eventually(5s, [&] { return consul.holds("edge-e2e"); }));
        orders.push_back(site.order());
        CHECK(site.ask(verify_ask(orders.back(), "LOGIN", "user-" + orders.back())).status == 200);
        const std::size_t before = site.log().size();
        REQUIRE(site.admin("POST", "/v1/upgrade", "{}").status == 200);
        pause_for(after);
        site.node().signal(SIGTERM);
        CHECK(site.node().wait(10s) == 0);
        const std::string log = site.log();
        const auto at = log.find(started, before);
        REQUIRE(at != std::string::npos);
        const auto pid = static_cast<pid_t>(std::stol(log.substr(at + started.size())));
        // Told just before its end, it passes that on; told after it, nobody has heard.
        if (::kill(pid, 0) == 0) {
            Process next(pid);
            auto status = next.wait(1s);
            if (!status) next.signal(SIGTERM), status = next.wait(10s);
            CHECK(status == 0);
        }
        CHECK_FALSE(consul.holds("edge-e2e"));
        REQUIRE(site.start_node());
    }
    for (const std::string& order : orders) CHECK(site.ask(lookup_ask(order)).json().text("source") == "live");
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
}
