// A Server on a simulated loop with peers that a test plays by hand: what they send, whether they take their answers.
// The service answers GET with 48 KiB and takes every other body; "GET /healthz" is a short answer. `wrap` stands
// between the two, such as TLS.
#pragma once

#include <catch2/catch.hpp>
#include <list>
#include <map>
#include <string>

#include "edge/server.h"
#include "tests/sim/sim_loop.h"

namespace holdfast {

struct Peer {
    StreamEvents* events = nullptr;
    std::string written;
    std::size_t queued = 0;
    bool stuck = false, gone = false;
    void send(std::string_view bytes) const {
        if (!gone) events->on_data(bytes);
    }
    int status() const { return written.size() < 12 ? 0 : std::stoi(written.substr(9, 3)); }
};

struct PeerStream final : Stream {
    PeerStream(Peer& to, std::string address) : peer_(to), info_{std::move(address), 1, std::nullopt} {}
    ~PeerStream() override { peer_.gone = true; }
    void start(StreamEvents& events) override { peer_.events = &events; }
    void write(std::string_view head, std::string_view body) override {
        peer_.written.append(head).append(body);
        if (peer_.stuck) peer_.queued += head.size() + body.size();
    }
    std::size_t queued() const override { return peer_.queued; }
    void pause() override {}
    void resume() override {}
    void shutdown() override {}
    const PeerInfo& peer() const override { return info_; }

  private:
    Peer& peer_;
    PeerInfo info_;
};

struct Answering final : Service {
    struct Request final : RequestHandler {
        Request(Answering& owner, Connection& client) : service(owner), to(client) {}
        void on_request(std::string bytes, const Digest& sha256, MemoryCharge) override {
            service.body = std::move(bytes);
            service.digest = sha256;
            if (!service.silent) to.reply(Reply());
        }
        void on_client_gone() override {}
        Answering& service;
        Connection& to;
    };
    HeadDecision on_head(Connection& connection, const RequestHead& head, const PeerInfo&, Cap over) override {
        Reply reply;
        if (head.raw_path == "/healthz") return {nullptr, std::move(reply)};
        const bool shedding = over != Cap::none;
        if (shedding) reply.status = 503;
        if (!shedding && head.method == "GET") reply.body = std::string(48u << 10, 'x');
        if (shedding || head.method == "GET") return {nullptr, std::move(reply)};
        return {&requests.emplace_back(*this, connection), std::nullopt, hash_only};
    }

    bool hash_only = false;
    bool silent = false;  // requests wait for their answer until the test gives it
    std::string body;  // of the last request that came whole
    Digest digest{};
    std::list<Request> requests;
};

struct ServerBench {
    explicit ServerBench(ServerOptions options = {}, Server::Wrap wrap = {})
        : server(loop, service, options, std::move(wrap), count()) {}
    Peer& connect(const std::string& address = "192.0.2.1", bool stuck = false) {
        Peer& peer = peers.emplace_back();
        peer.stuck = stuck;
        server.accept(std::make_unique<PeerStream>(peer, address));
        return peer;
    }
    Server::OnReject count() {
        return [this](const Server::Rejected& rejected) { ++rejects[std::string(rejected.reason)]; };
    }

    std::map<std::string, int> rejects;
    std::list<Peer> peers;
    sim::SimLoop loop;
    Answering service;
    Server server;
};

}  // namespace holdfast
