// A node whose machine runs out of something while it serves: the disk, or memory.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <sstream>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

void limit(Site& site, __rlimit_resource what, rlim_t soft) {
    rlimit now{};
    REQUIRE(::prlimit(site.node().pid(), what, nullptr, &now) == 0);
    now.rlim_cur = std::min(soft, now.rlim_max);
    REQUIRE(::prlimit(site.node().pid(), what, &now, nullptr) == 0);
}

double store(const Site& site, const std::string& name) {
    return site.metric("holdfast_store_up{store=\"" + name + "\"}");
}

// Address space of the node, in bytes.
std::uint64_t address_space(Site& site) {
    std::istringstream in(read_file("/proc/" + std::to_string(site.node().pid()) + "/statm"));
    std::uint64_t pages = 0;
    in >> pages;
    return pages * 4096;
}

int connect_to(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(fd >= 0);
    ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return fd;
}

}  // namespace

TEST_CASE("e2e: a disk that fills up while the node runs: it forwards, says so, lets nobody in, and recovers",
          "[alone]") {
    Site site;
    REQUIRE(site.ask(verify_ask("before", "LOGIN", "known")).status == 200);
    pause_for(200ms);
    limit(site, RLIMIT_FSIZE, 0);  // no file takes another byte
    for (int i = 0; i < 10; ++i)
        REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "user-" + std::to_string(i))).json().text("source") ==
                "live");
    CHECK(eventually(5s, [&] { return store(site, "cache") == 0 && store(site, "state") == 0; }));
    CHECK(site.admin_get("/v1/status").text("verdict") == "impaired");
    CHECK(site.ctl({"degrade", "on", "--reason", "the disk is full"}).status != 0);  // it could not be made durable
    CHECK(site.admin_get("/v1/status")["mode"]["node"].text() == "auto");
    site.centre(R"({"mode":"error"})");
    REQUIRE(site.break_circuit());
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "nobody")).code() == "VerificationUnavailable");  // no provisional
    CHECK(site.node().running());

    limit(site, RLIMIT_FSIZE, RLIM_INFINITY);
    site.centre(R"({"mode":"healthy"})");
    CHECK(eventually(20s, [&] {
        site.ask(verify_ask(site.order(), "LOGIN", "user-" + site.order()));  // for the circuit to probe with
        return site.admin_get("/v1/status").text("verdict") == "ok";
    }));
    INFO(site.admin("GET", "/v1/status").body);
    CHECK(site.ctl({"degrade", "on", "--reason", "there is room again"}).status == 0);
    CHECK(site.ctl({"degrade", "auto", "--reason", "over"}).status == 0);
    REQUIRE(eventually(5s, [&] {
        return site.ask(verify_ask("after", "LOGIN", "user-1")).json().text("source") == "live";
    }));
    CHECK(site.stop_node(SIGTERM) == 0);
    REQUIRE(site.start_node());
    CHECK(site.ask(lookup_ask("before")).status == 200);
    CHECK(site.ask(lookup_ask("after")).status == 200);
    CHECK(site.admin_get("/v1/journal/verify")["ok"].boolean() == true);
}

TEST_CASE("e2e: a pass that the centre took back while the disk was full is not answered after a restart", "[alone]") {
    for (const int signal : {SIGTERM, SIGKILL}) {
        INFO(signal);
        Site site;
        REQUIRE(site.ask(verify_ask("before", "LOGIN", "known")).json().text("outcome") == "pass");
        pause_for(200ms);
        limit(site, RLIMIT_FSIZE, 0);
        site.centre(R"({"outcomes":{"known":"fail"}})");
        REQUIRE(site.ask(verify_ask("since", "LOGIN", "known")).json().text("outcome") == "fail");
        REQUIRE(eventually(5s, [&] { return store(site, "cache") == 0; }));
        site.node().signal(signal);
        REQUIRE(site.node().wait(20s));
        REQUIRE(site.start_node());
        INFO(site.log());
        CHECK(site.log().find("the last run could not write") != std::string::npos);
        pause_for(1100ms);  // nonces may be missing too: what is signed before the start is refused
        REQUIRE(site.ctl({"degrade", "on", "--reason", "test"}).status == 0);
        CHECK(site.ask(verify_ask(site.order(), "LOGIN", "known")).json().text("source") != "cache");
        CHECK(site.ask(lookup_ask("before")).status == 404);
    }
}

TEST_CASE("e2e: clients never get the last descriptors: above what the process may open they are shed, as at the cap",
          "[alone]") {
    Terms terms;
    terms.tls = false;
    terms.starter = {"sh", "-c", "ulimit -Sn 128; ulimit -Hn 320; exec \"$@\"", "sh"};
    Site site(std::move(terms));
    INFO(site.log());
    rlimit now{};
    REQUIRE(::prlimit(site.node().pid(), RLIMIT_NOFILE, nullptr, &now) == 0);
    CHECK(now.rlim_cur == 320);  // raised to the hard limit
    const std::string said = "the process may open 320 descriptors: it takes 40 client connections at once";
    CHECK(site.log().find(said) != std::string::npos);
    std::vector<Client> held;
    const auto hold = [&](int count) {
        for (int i = 0; i < count; ++i) {
            held.push_back(Client::plain(site.port()));
            held.back().send("POST /v1/verifications HTTP/1.1\r\nHost: x\r\n");
        }
    };
    hold(40);
    REQUIRE(eventually(2s, [&] { return site.metric("holdfast_connections{state=\"active\"}") == 40; }));
    const HttpAnswer shed = site.ask(verify_ask(site.order(), "LOGIN", "user-1"));
    CHECK(shed.status == 503);
    CHECK_FALSE(shed.header("Retry-After").empty());
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"connections\"}") >= 1);
    Client health = site.connect();
    health.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(health.answer().value_or(HttpAnswer{}).body == "ok");
    hold(400);
    CHECK(site.monitor("/metrics").status == 200);
    CHECK(site.ctl({"status"}).status == 0);
    health = site.connect();
    health.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(health.answer().value_or(HttpAnswer{}).body == "ok");
    held.clear();
    CHECK(eventually(5s, [&] { return site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200; }));
}

TEST_CASE("e2e: bodies of callers who cannot be authenticated take no memory from the others", "[alone]") {
    Terms terms;
    terms.limits = "memory = \"2MiB\"\nbody_bytes = \"1MiB\"";
    Site site(std::move(terms));
    const std::string body(1u << 20, 'x');
    std::vector<Client> forged;
    for (const bool known : {false, true, false, true, false, true}) {
        Ask ask = verify_ask("order-1", "LOGIN", "user-1");
        ask.body = body;
        if (!known) ask.secret_id = "nobody";
        ask.secret = "wrong";
        const std::string bytes = site.bytes(ask);
        forged.push_back(site.connect());
        REQUIRE(forged.back().send(std::string_view(bytes).substr(0, bytes.size() - 1)));
    }
    const std::string image = R"(,"evidence":{"image":"/9j/)" + std::string(900'000, 'A') + "\"}";
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-2", image)).status == 200);
    for (Client& client : forged) {
        REQUIRE(client.send("x"));
        CHECK(client.answer().value_or(HttpAnswer{}).code() == "InvalidSignature");
    }
    const std::string refused = fmt::format("refused: unknown_secret_id from 127.0.0.1, {} bytes", body.size());
    CHECK(eventually(3s, [&] { return site.log().find(refused) != std::string::npos; }));
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"memory\"}") == 0);
}

#ifndef __SANITIZE_ADDRESS__  // whose allocator ends the process instead
TEST_CASE("e2e: a node without memory for large bodies refuses or closes, lives, and serves on", "[alone]") {
    Terms terms;
    terms.tls = false;
    Site site(std::move(terms), R"({"latencyMs":{"min":300,"max":300}})");
    REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    limit(site, RLIMIT_AS, address_space(site) + (12u << 20));
    const std::string image = R"(,"evidence":{"image":"/9j/)" + std::string(3u << 20, 'A') + "\"}";
    std::vector<Client> clients;
    for (int i = 0; i < 16; ++i) {
        clients.push_back(site.connect());
        clients.back().send(site.bytes(verify_ask(site.order(), "LOGIN", "user-1", image)), 2s);
    }
    int refused = 0;
    for (Client& client : clients) {
        const auto answer = client.answer(3s);
        if (!answer || answer->status != 200) ++refused;
        if (answer) CHECK((answer->status == 200 || answer->status >= 500));
    }
    clients.clear();
    CHECK(refused > 0);
    REQUIRE(site.node().running());
    limit(site, RLIMIT_AS, RLIM_INFINITY);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-2", image)).status == 200);
    CHECK(eventually(3s, [&] { return site.metric("holdfast_requests_in_flight") == 0; }));
}

TEST_CASE("e2e: a node without memory for more connections lives, goes on accepting, and serves on", "[alone]") {
    for (const bool tls : {false, true}) {
        INFO(tls);
        Terms terms;
        terms.tls = tls;
        Site site(std::move(terms));
        REQUIRE(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
        limit(site, RLIMIT_AS, address_space(site) + (512u << 10));
        std::vector<int> fds;  // bare sockets: a client of TLS would wait for its handshake
        for (int i = 0; i < 900; ++i) {
            fds.push_back(connect_to(site.port()));
            if (i % 100 == 99) pause_for(20ms);
        }
        pause_for(300ms);
        INFO(site.log());
        CHECK(site.node().running());
        for (const int fd : fds) ::close(fd);
        limit(site, RLIMIT_AS, RLIM_INFINITY);
        CHECK(eventually(5s, [&] { return site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200; }));
    }
}
#endif
