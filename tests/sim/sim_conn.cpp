#include "tests/sim/sim_conn.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "edge/base/check.h"

namespace holdfast::sim {

namespace {

Error lost() {
    return {Code::closed, Origin::upstream, true, "connection reset"};
}

// Cuts `bytes` into up to `pieces` parts, none empty.
std::vector<std::string> cut_up(Rng& rng, std::string bytes, std::size_t pieces) {
    std::vector<std::string> out;
    while (pieces > 1 && bytes.size() > 1) {
        const std::size_t n = 1 + rng.below(bytes.size() - 1);
        out.push_back(bytes.substr(0, n));
        bytes.erase(0, n);
        --pieces;
    }
    out.push_back(std::move(bytes));
    return out;
}

} // namespace

Conn::Conn(SimNet& network, SimHost& client, SimHost& server, int client_port, int server_port) : net(network) {
    ends[0].host = &client;
    ends[0].address = client.address();
    ends[0].peer = {server.address(), server_port, {}};
    ends[1].host = &server;
    ends[1].address = server.address();
    ends[1].peer = {client.address(), client_port, {}};
}

std::unique_ptr<Stream> Conn::make_stream(int i) {
    auto stream = std::make_unique<SimStream>(shared_from_this(), i);
    ends[i].stream = stream.get();
    return stream;
}

// Something on this end's own machine, in an event of its own.
void Conn::post(int i, std::function<void()> run) {
    End& end = ends[i];
    if (end.host == nullptr) return;
    net.world().post(&end.host->view(), net.world().now().mono,
                     [self = shared_from_this(), run = std::move(run)] { run(); });
}

MonoTime Conn::next_arrival(int i) {
    End& end = ends[i];
    const LinkPlan& plan = net.plan(end.address, ends[1 - i].address);
    MonoTime at = net.world().now().mono + net.delay(plan);
    if (net.rng().chance(plan.late)) at += plan.late_by;
    end.last_arrival = std::max(end.last_arrival, at);
    return end.last_arrival;
}

// Something that this end sends to the other.
void Conn::travel(int i, std::function<void()> run) {
    End& from = ends[i];
    End& to = ends[1 - i];
    if (from.host == nullptr || to.host == nullptr) return;
    net.deliver(*from.host, *to.host, next_arrival(i), [self = shared_from_this(), run = std::move(run)] { run(); });
}

void Conn::start(int i, StreamEvents& events) {
    HF_CHECK(ends[i].events == nullptr);
    ends[i].events = &events;
    post(i, [this, i] { hand_over(i); });
}

void Conn::write(int i, std::string_view head, std::string_view body) {
    End& end = ends[i];
    if (end.dead || end.closed || end.end_wanted) return;
    end.unsent.append(head);
    end.unsent.append(body);
    send_unsent(i);
    if (!end.unsent.empty()) end.drain_due = true;
}

void Conn::send_unsent(int i) {
    End& end = ends[i];
    const std::size_t room = net.window() - std::min(net.window(), end.under_way);
    // As TCP does, wait for a worthwhile part of the window (RFC 9293 §3.8.6.2), else pieces shrink to nothing.
    if (room < net.window() / 2 && room < end.unsent.size()) return;
    const std::size_t n = std::min(room, end.unsent.size());
    if (n > 0) {
        end.under_way += n;
        net.count().bytes += n;
        std::string bytes = end.unsent.substr(0, n);
        end.unsent.erase(0, n);
        send(i, std::move(bytes));
    }
    if (end.unsent.empty() && end.end_wanted) send_end(i);
}

void Conn::send(int i, std::string bytes) {
    const LinkPlan& plan = net.plan(ends[i].address, ends[1 - i].address);
    const std::size_t pieces = net.rng().chance(plan.split) ? 1 + net.rng().below(SimNet::kPiecesMax) : 1;
    for (auto& piece : cut_up(net.rng(), std::move(bytes), pieces)) {
        if (net.rng().chance(plan.reset)) {
            ++net.count().resets;
            reset();
            return;
        }
        travel(i, [this, i, piece = std::move(piece)] { arrive(1 - i, piece); });
    }
}

void Conn::send_end(int i) {
    if (std::exchange(ends[i].end_sent, true)) return;
    travel(i, [this, i] {
        ends[1 - i].end_arrived = true;
        hand_over(1 - i);
    });
}

void Conn::arrive(int i, std::string bytes) {
    End& end = ends[i];
    if (end.dead) return;
    if (end.closed) { // nobody reads any more: the machine answers with a reset
        travel(i, [this, i] { fail(1 - i); });
        return;
    }
    end.arrived += bytes;
    hand_over(i);
}

// Hands what has arrived to the owner, in an event of this end's view.
void Conn::hand_over(int i) {
    End& end = ends[i];
    if (end.events == nullptr || end.paused || end.dead || end.closed) return;
    if (!end.arrived.empty()) {
        const std::string bytes = std::move(end.arrived);
        end.arrived.clear();
        travel(i, [this, i, n = bytes.size()] { taken(1 - i, n); });
        end.events->on_data(bytes);
    }
    if (!end.end_arrived || end.end_told || end.paused || end.dead || end.closed || !end.arrived.empty()) return;
    end.end_told = true;
    end.events->on_end();
}

// The other end took `bytes`: there is room for more.
void Conn::taken(int i, std::size_t bytes) {
    End& end = ends[i];
    HF_CHECK(end.under_way >= bytes);
    end.under_way -= bytes;
    if (end.dead || end.closed) return;
    send_unsent(i);
    if (!end.unsent.empty() || !end.drain_due) return;
    end.drain_due = false;
    if (end.events != nullptr) end.events->on_drained();
}

void Conn::resume(int i) {
    ends[i].paused = false;
    post(i, [this, i] { hand_over(i); });
}

void Conn::shutdown(int i) {
    End& end = ends[i];
    if (end.dead || end.closed || end.end_wanted) return;
    end.end_wanted = true;
    if (end.unsent.empty()) send_end(i);
}

void Conn::close(int i) {
    End& end = ends[i];
    if (std::exchange(end.closed, true)) return;
    end.stream = nullptr;
    end.events = nullptr;
    end.unsent.clear();
    if (end.dead) return;
    if (!end.arrived.empty())
        travel(i, [this, i] { fail(1 - i); }); // unread bytes: a reset, as TCP does
    else
        send_end(i);
    end.arrived.clear();
}

void Conn::reset() {
    for (int i = 0; i < 2; ++i) {
        if (ends[1 - i].host == nullptr || ends[i].host == nullptr)
            post(i, [this, i] { fail(i); });
        else
            travel(1 - i, [this, i] { fail(i); });
    }
}

void Conn::fail(int i) {
    End& end = ends[i];
    if (end.dead || end.closed) return;
    end.dead = true;
    end.unsent.clear();
    end.arrived.clear();
    if (end.events != nullptr) end.events->on_failed(lost());
}

} // namespace holdfast::sim
