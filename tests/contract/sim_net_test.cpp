#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "tests/sim/sim_net.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr const char* kClient = "10.0.0.1";
constexpr const char* kServer = "10.0.0.2";

struct Peer : StreamEvents {
    std::unique_ptr<Stream> stream;
    std::string got;
    std::size_t pieces = 0;
    int drained = 0;
    bool ended = false;
    bool failed = false;
    bool inside = false; // a call of ours into the stream is running
    bool hold = false;   // pauses after each piece
    void take(std::unique_ptr<Stream> s) {
        stream = std::move(s);
        inside = true;
        stream->start(*this);
        inside = false;
    }
    void write(std::string_view text) {
        inside = true;
        stream->write(text);
        inside = false;
    }
    void on_data(std::string_view bytes) override {
        CHECK_FALSE((inside || ended || failed));
        got += bytes;
        ++pieces;
        if (hold) stream->pause();
    }
    void on_end() override {
        CHECK_FALSE((inside || ended || failed));
        ended = true;
    }
    void on_drained() override {
        CHECK_FALSE(inside);
        CHECK(stream->queued() == 0);
        ++drained;
    }
    void on_failed(const Error& error) override {
        CHECK_FALSE((inside || failed));
        CHECK(error.code == Code::closed);
        failed = true;
    }
};

// A client and a server with one connection between them, when the dial succeeds.
struct Wire {
    SimLoop world;
    SimNet net;
    NodeView client_view{world};
    NodeView server_view{world};
    SimHost client_host;
    SimHost server_host;
    Peer client;
    Peer server;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Pending> pending;
    std::string error;

    explicit Wire(std::uint64_t seed = 1)
        : net(world, seed), client_host(net, client_view, kClient), server_host(net, server_view, kServer) {
        listen();
    }
    void listen() {
        auto got = server_host.listen(std::string(kServer) + ":8443", [this](std::unique_ptr<Stream> s) {
            if (server.stream == nullptr) server.take(std::move(s));
        });
        REQUIRE(got);
        listener = std::move(*got);
    }
    void dial() {
        pending = client_host.dial({kServer, 8443, false, ""}, [this](Result<std::unique_ptr<Stream>> got) {
            if (got)
                client.take(std::move(*got));
            else
                error = got.error().detail;
        });
    }
    bool connected() {
        dial();
        world.run_for(10ms);
        return client.stream != nullptr && server.stream != nullptr;
    }
};

std::string pattern(std::size_t n) {
    std::string out;
    for (std::size_t i = 0; i < n; ++i) out += static_cast<char>('a' + i % 26 + (i / 26) % 2 * -32);
    return out;
}

} // namespace

TEST_CASE("sim_net: bytes arrive whole and in order, however they are split") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Wire wire(seed);
        LinkPlan plan;
        plan.split = 0.8;
        plan.late = 0.05;
        wire.net.set_plan(plan);
        REQUIRE(wire.connected());
        std::string sent;
        for (int i = 0; i < 30; ++i) {
            const auto text = pattern(1 + static_cast<std::size_t>(i) * 13);
            wire.client.write(text);
            sent += text;
            wire.world.run_for(1ms);
        }
        wire.world.run_for(30s);
        CHECK(wire.server.got == sent);
        CHECK(wire.server.pieces > 30);
        CHECK(wire.server.stream->peer().address == kClient);
        CHECK(wire.client.stream->peer().port == 8443);
    }
}

TEST_CASE("sim_net: a reader that pauses holds the writer back, and the queue drains when it goes on") {
    Wire wire;
    wire.net.set_window(1000);
    REQUIRE(wire.connected());
    wire.server.stream->pause();
    wire.client.write(pattern(5000));
    CHECK(wire.client.stream->queued() == 4000);
    wire.world.run_for(1s);
    CHECK(wire.server.got.empty());
    CHECK(wire.client.stream->queued() == 4000);
    CHECK(wire.client.drained == 0);
    wire.server.stream->resume();
    wire.world.run_for(1s);
    CHECK(wire.server.got == pattern(5000));
    CHECK(wire.client.drained == 1);
    wire.client.write("x");
    wire.world.run_for(1s);
    CHECK(wire.client.drained == 1);
}

TEST_CASE("sim_net: a pause inside on_data keeps the rest back") {
    Wire wire;
    REQUIRE(wire.connected());
    wire.server.hold = true;
    wire.client.write("one");
    wire.world.run_for(10ms);
    wire.client.write("two");
    wire.client.stream->shutdown();
    wire.world.run_for(10ms);
    CHECK(wire.server.got == "one");
    wire.server.stream->resume();
    wire.world.run_for(10ms);
    CHECK(wire.server.got == "onetwo");
    CHECK_FALSE(wire.server.ended);
    wire.server.stream->resume();
    wire.world.run_for(10ms);
    CHECK(wire.server.ended);
}

TEST_CASE("sim_net: shutdown ends one side after what is queued, and the other side can still write") {
    Wire wire;
    wire.net.set_window(100);
    REQUIRE(wire.connected());
    wire.client.write(pattern(500));
    wire.client.stream->shutdown();
    wire.world.run_for(100ms);
    CHECK(wire.server.got == pattern(500));
    CHECK(wire.server.ended);
    wire.server.write("answer");
    wire.server.stream.reset();
    wire.world.run_for(100ms);
    CHECK(wire.client.got == "answer");
    CHECK(wire.client.ended);
    CHECK_FALSE(wire.client.failed);
    wire.client.stream.reset();
    wire.world.run_for(1s);
    CHECK(wire.net.connections() == 0);
}

TEST_CASE("sim_net: writing to a closed peer is a failure, and so is closing on unread bytes") {
    Wire wire;
    REQUIRE(wire.connected());
    wire.server.stream.reset();
    wire.world.run_for(10ms);
    CHECK(wire.client.ended);
    wire.client.write("x");
    wire.world.run_for(10ms);
    CHECK(wire.client.failed);

    Wire unread;
    REQUIRE(unread.connected());
    unread.server.stream->pause();
    unread.client.write("x");
    unread.world.run_for(10ms);
    unread.server.stream.reset();
    unread.world.run_for(10ms);
    CHECK(unread.client.failed);
    CHECK_FALSE(unread.client.ended);
}

TEST_CASE("sim_net: a dial is refused by a closed port, a missing machine and by chance") {
    Wire wire;
    wire.listener.reset();
    CHECK_FALSE(wire.connected());
    CHECK(wire.error == "connection refused");
    wire.error.clear();
    wire.pending = wire.client_host.dial({"10.9.9.9", 1, false, ""}, [&wire](Result<std::unique_ptr<Stream>> got) {
        CHECK(got.error().code == Code::refused);
        CHECK(got.error().origin == Origin::upstream);
        wire.error = "told";
    });
    wire.world.run_for(10ms);
    CHECK(wire.error == "told");
    wire.listen();
    LinkPlan plan;
    plan.refuse = 1;
    wire.net.set_plan(kClient, kServer, plan);
    CHECK_FALSE(wire.connected());
    wire.net.set_plan(kClient, kServer, {});
    CHECK(wire.connected());
}

TEST_CASE("sim_net: a hanging dial is never answered, and a dropped one calls nobody") {
    Wire wire;
    LinkPlan plan;
    plan.hang = 1;
    wire.net.set_plan(plan);
    CHECK_FALSE(wire.connected());
    wire.world.run_for(1h);
    CHECK(wire.error.empty());
    wire.net.set_plan(LinkPlan{});
    wire.dial();
    wire.pending.reset();
    wire.world.run_for(10ms);
    CHECK(wire.client.stream == nullptr);
    wire.dial();
    wire.world.run_until_true([&wire] { return wire.server.stream != nullptr; }, 10ms);
    wire.pending.reset(); // between the server's accept and the client's answer
    wire.world.run_for(10ms);
    CHECK(wire.client.stream == nullptr);
    CHECK(wire.server.ended);
}

TEST_CASE("sim_net: a partition holds everything back, and healing delivers it in order") {
    Wire wire;
    REQUIRE(wire.connected());
    wire.client.write("before ");
    wire.net.partition(kClient, kServer, true);
    wire.client.write("during ");
    wire.server.write("back");
    wire.world.run_for(60s);
    CHECK(wire.server.got.empty());
    CHECK(wire.client.got.empty());
    wire.net.partition(kClient, kServer, false);
    wire.client.write("after");
    wire.world.run_for(10ms);
    CHECK(wire.server.got == "before during after");
    CHECK(wire.client.got == "back");
}

TEST_CASE("sim_net: a reset reaches both ends once") {
    Wire wire;
    REQUIRE(wire.connected());
    wire.net.reset_between(kServer, kClient);
    wire.net.reset_between(kServer, kClient);
    wire.world.run_for(10ms);
    CHECK(wire.client.failed);
    CHECK(wire.server.failed);
    LinkPlan plan;
    plan.reset = 1;
    Wire chance;
    REQUIRE(chance.connected());
    chance.net.set_plan(plan);
    chance.client.write("x");
    chance.world.run_for(10ms);
    CHECK(chance.client.failed);
    CHECK(chance.server.got.empty());
}

TEST_CASE("sim_net: a killed node takes its connections and ports with it, and can come back") {
    Wire wire;
    REQUIRE(wire.connected());
    wire.client.write("on its way");
    wire.server_view.kill();
    wire.world.run_for(10ms);
    CHECK(wire.server.got.empty());
    CHECK(wire.client.failed);
    wire.server.stream.reset();
    wire.client.stream.reset();
    CHECK_FALSE(wire.connected());
    CHECK(wire.error == "connection refused");
    wire.server_view.revive();
    wire.listener.reset();
    wire.listen();
    CHECK(wire.connected());
}

TEST_CASE("sim_net: names resolve to what was set, literals to themselves, the rest to an error") {
    Wire wire;
    wire.net.set_name("central.test", {"10.0.0.2", "10.0.0.3"});
    std::vector<std::string> got;
    std::string error;
    const auto ask = [&](const std::string& name) {
        got.clear();
        error.clear();
        auto pending = wire.client_host.resolve(name, [&](Result<std::vector<std::string>> r) {
            if (r)
                got = *r;
            else
                error = r.error().detail;
        });
        CHECK((got.empty() && error.empty()));
        wire.world.run_for(10ms);
    };
    ask("central.test");
    CHECK(got == std::vector<std::string>{"10.0.0.2", "10.0.0.3"});
    ask("10.1.1.1");
    CHECK(got == std::vector<std::string>{"10.1.1.1"});
    ask("other.test");
    CHECK(error == "cannot resolve other.test");
    auto dropped = wire.client_host.resolve("central.test", [&error](auto) { error = "called"; });
    dropped.reset();
    wire.world.run_for(10ms);
    CHECK(error != "called");
}

TEST_CASE("sim_net: the same seed replays the same run, another one does not") {
    const auto run = [](std::uint64_t seed) {
        Wire wire(seed);
        LinkPlan plan;
        plan.split = 0.5;
        plan.late = 0.2;
        wire.net.set_plan(plan);
        REQUIRE(wire.connected());
        for (int i = 0; i < 20; ++i) wire.client.write(pattern(200));
        wire.world.run_for(30s);
        return std::to_string(wire.server.pieces) + "/" + std::to_string(wire.world.events_run());
    };
    CHECK(run(5) == run(5));
    CHECK(run(5) != run(6));
}
