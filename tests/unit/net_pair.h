// What TLS and client tests share: a loop that is run until something holds, and a recorder of stream events. For
// tests over real sockets, hence bounded by real time.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>

#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "tests/support/turns.h"

namespace holdfast::testing {

struct Events : StreamEvents {
    void on_data(std::string_view bytes) override { received.append(bytes); }
    void on_end() override { ended = true; }
    void on_drained() override { drained = true; }
    void on_ready() override { ready = true; }
    void on_failed(const Error& e) override {
        CHECK_FALSE(failed);
        failed = true;
        error = e;
    }
    bool over() const { return ended || failed; }
    std::string received;
    Error error;
    bool ended = false, drained = false, ready = false, failed = false;
};

struct Net {
    UvLoop loop;
    UvNetwork network{loop};
    // Runs the loop until it holds, at most 10 s.
    bool until(const std::function<bool()>& holds) { return turn_until(loop, 10s, holds); }
    void idle(Nanos d) { turn_for(loop, d); }
};

// A stream whose peer takes nothing: what is written waits.
struct StuckStream : Stream {
    void start(StreamEvents& e) override { events = &e; }
    void write(std::string_view head, std::string_view body) override { waiting += head.size() + body.size(); }
    std::size_t queued() const override { return waiting; }
    void pause() override {}
    void resume() override {}
    void shutdown() override {}
    const PeerInfo& peer() const override { return info; }
    StreamEvents* events = nullptr;
    std::size_t waiting = 0;
    PeerInfo info;
};

}  // namespace holdfast::testing
