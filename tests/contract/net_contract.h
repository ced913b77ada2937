// What every Loop, Timer and Network must do, real or simulated. A fixture has `Loop& loop()`, `Network& network()`,
// `bool turn()` (runs the loop on until something happened or nothing can) and `kUnreadMax` (bytes that the network
// takes at most for a peer that reads none), and is default constructible; destroying it must find nothing leaked.
// Delays are kept short, because the real loop really waits.
#pragma once

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "edge/net/loop.h"
#include "edge/net/stream.h"

namespace holdfast::contract {

inline constexpr int kTurnsMax = 100000;

template <typename Fixture>
bool run_until(Fixture& f, const std::function<bool()>& done) {
    for (int i = 0; i < kTurnsMax && !done(); ++i) f.turn();
    return done();
}

// Records what a Stream says.
struct Recorder : StreamEvents {
    void on_data(std::string_view bytes) override { received.append(bytes); }
    void on_end() override { ended = true; }
    void on_drained() override { drained = true; }
    void on_ready() override { ready = true; }
    void on_failed(const Error& error) override {
        CHECK_FALSE(failed);
        failed = true;
        detail = error.detail;
    }
    std::string received, detail;
    bool ended = false, drained = false, ready = false, failed = false;
};

// Two connected streams over the fixture's network.
template <typename Fixture>
struct Connected {
    explicit Connected(Fixture& f) {
        auto listening =
            f.network().listen("127.0.0.1:0", [this](std::unique_ptr<Stream> s) { server = std::move(s); });
        REQUIRE(listening);
        listener = std::move(*listening);
        Target target{"127.0.0.1", listener->port(), false, ""};
        auto dial = f.network().dial(target, [this](Result<std::unique_ptr<Stream>> s) {
            REQUIRE(s);
            client = std::move(*s);
        });
        REQUIRE(run_until(f, [this] { return client != nullptr && server != nullptr; }));
        client->start(client_events);
        server->start(server_events);
    }
    Recorder client_events, server_events;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Stream> client, server;
};

template <typename Fixture>
void timers_fire_once_in_order_and_never_early() {
    Fixture f;
    std::vector<int> fired;
    const MonoTime begin = f.loop().now().mono;
    std::vector<MonoTime> when;
    const auto note = [&](int n) {
        return [&, n] {
            fired.push_back(n);
            when.push_back(f.loop().now().mono);
        };
    };
    auto late = f.loop().after(20ms, note(2));
    auto early = f.loop().after(5ms, note(1));
    auto never = f.loop().after(10ms, note(9));
    auto at_once = f.loop().after(-5ms, note(0));
    CHECK(fired.empty());
    never.reset();
    REQUIRE(run_until(f, [&] { return fired.size() == 3; }));
    CHECK(fired == std::vector<int>{0, 1, 2});
    CHECK(when[1] - begin >= 5ms);
    CHECK(when[2] - begin >= 20ms);
}

template <typename Fixture>
void timers_restart_stop_and_go_inside_their_callback() {
    Fixture f;
    int fired = 0;
    std::unique_ptr<Timer> timer;
    timer = f.loop().after(1ms, [&] {
        if (++fired < 3)
            timer->restart(1ms);
        else
            timer.reset();
    });
    bool stopped_fired = false;
    auto stopped = f.loop().after(1ms, [&] { stopped_fired = true; });
    stopped->stop();
    REQUIRE(run_until(f, [&] { return fired == 3; }));
    CHECK(timer == nullptr);
    CHECK_FALSE(stopped_fired);
    stopped->restart(1ms);
    CHECK(run_until(f, [&] { return stopped_fired; }));
}

template <typename Fixture>
void defer_runs_after_the_callback_and_before_waiting() {
    Fixture f;
    std::string order;
    f.loop().defer([&] { order += 'a'; });  // works outside of callbacks too
    auto first = f.loop().after(1ms, [&] {
        f.loop().defer([&] {
            order += '3';
            f.loop().defer([&] { order += '4'; });
        });
        order += '2';
    });
    auto much_later = f.loop().after(5s, [&] { order += 'x'; });
    CHECK(order.empty());
    REQUIRE(run_until(f, [&] { return order.size() == 4; }));
    CHECK(order == "a234");
}

template <typename Fixture>
void now_is_constant_inside_a_callback() {
    Fixture f;
    bool done = false;
    auto timer = f.loop().after(1ms, [&] {
        const Now a = f.loop().now();
        for (int i = 0; i < 1000; ++i) {
            (void)Now::read();
        }
        const Now b = f.loop().now();
        CHECK(a.mono == b.mono);
        CHECK(a.wall == b.wall);
        done = true;
    });
    REQUIRE(run_until(f, [&] { return done; }));
}

template <typename Fixture>
void bytes_arrive_both_ways_and_ends_are_told() {
    Fixture f;
    Connected<Fixture> c(f);
    CHECK(c.client->ready());
    c.client->write("head ", "body");
    c.server->write("answer");
    CHECK(c.server_events.received.empty());  // never from inside write()
    REQUIRE(
        run_until(f, [&] { return c.server_events.received == "head body" && c.client_events.received == "answer"; }));
    c.client->shutdown();
    REQUIRE(run_until(f, [&] { return c.server_events.ended; }));
    c.server->write("still");  // the other direction is open
    REQUIRE(run_until(f, [&] { return c.client_events.received == "answerstill"; }));
    c.server.reset();
    REQUIRE(run_until(f, [&] { return c.client_events.ended || c.client_events.failed; }));
}

template <typename Fixture>
void a_paused_stream_holds_its_peer_back() {
    Fixture f;
    Connected<Fixture> c(f);
    c.server->pause();
    // Short of that a queue may drain yet: a kernel widens its buffers while it is written to.
    const std::string block(256 * 1024, 'x');
    std::size_t written = 0;
    while (written <= Fixture::kUnreadMax) {
        c.client->write(block);
        written += block.size();
        f.turn();
    }
    c.client_events.drained = false;  // from here on it may not
    for (int i = 0; i < 20; ++i) f.turn();
    CHECK(c.client->queued() > 0);
    CHECK(c.server_events.received.empty());
    CHECK_FALSE(c.client_events.drained);
    c.server->resume();
    REQUIRE(run_until(f, [&] { return c.server_events.received.size() == written; }));
    REQUIRE(run_until(f, [&] { return c.client_events.drained; }));
    CHECK(c.client->queued() == 0);
}

template <typename Fixture>
void streams_go_silently_in_any_state() {
    Fixture f;
    for (int state = 0; state < 4; ++state) {
        Connected<Fixture> c(f);
        if (state == 1) c.client->write(std::string(8 << 20, 'x'));  // with a queue
        if (state == 2) c.client->pause();
        if (state == 3) c.client->shutdown();
        c.client.reset();
        REQUIRE(run_until(f, [&] { return c.server_events.ended || c.server_events.failed; }));
        CHECK_FALSE(c.client_events.failed);
        CHECK_FALSE(c.client_events.ended);
    }
}

template <typename Fixture>
void dials_fail_in_a_later_turn_and_can_be_cancelled() {
    Fixture f;
    int port = 0;
    {
        auto listening = f.network().listen("127.0.0.1:0", [](std::unique_ptr<Stream>) {});
        REQUIRE(listening);
        port = (*listening)->port();
    }
    for (int i = 0; i < 5; ++i) f.turn();
    bool failed = false;
    auto refused = f.network().dial(Target{"127.0.0.1", port, false, ""}, [&](Result<std::unique_ptr<Stream>> s) {
        REQUIRE_FALSE(s);
        CHECK(s.error().code == Code::refused);
        CHECK_FALSE(s.error().was_sent);
        CHECK_FALSE(s.error().detail.empty());
        failed = true;
    });
    CHECK_FALSE(failed);
    auto cancelled = f.network().dial(Target{"127.0.0.1", port, false, ""},
                                      [](Result<std::unique_ptr<Stream>>) { FAIL("cancelled"); });
    cancelled.reset();
    REQUIRE(run_until(f, [&] { return failed; }));
    for (int i = 0; i < 5; ++i) f.turn();
}

template <typename Fixture>
void a_dial_may_go_inside_its_own_callback() {
    Fixture f;
    std::unique_ptr<Stream> accepted;
    auto listening = f.network().listen("127.0.0.1:0", [&](std::unique_ptr<Stream> s) { accepted = std::move(s); });
    REQUIRE(listening);
    std::unique_ptr<Pending> dial;
    bool done = false;
    dial =
        f.network().dial(Target{"127.0.0.1", (*listening)->port(), false, ""}, [&](Result<std::unique_ptr<Stream>> s) {
            REQUIRE(s);
            dial.reset();
            s->reset();
            done = true;
        });
    REQUIRE(run_until(f, [&] { return done && accepted != nullptr; }));
}

template <typename Fixture>
void literals_resolve_to_themselves() {
    Fixture f;
    std::vector<std::string> found;
    auto v4 = f.network().resolve(
        "192.0.2.1", [&](Result<std::vector<std::string>> r) { found.insert(found.end(), r->begin(), r->end()); });
    auto gone = f.network().resolve("192.0.2.2", [](Result<std::vector<std::string>>) { FAIL("cancelled"); });
    gone.reset();
    CHECK(found.empty());
    REQUIRE(run_until(f, [&] { return found.size() == 1; }));
    CHECK(found[0] == "192.0.2.1");
}

}  // namespace holdfast::contract
