#include "edge/server.h"

#include <algorithm>
#include <new>

#include "edge/base/check.h"
#include "edge/net/network_of.h"

namespace holdfast {

Server::Server(Loop& loop, Service& service, ServerOptions options, Wrap wrap, OnReject on_reject)
    : loop_(loop),
      service_(service),
      options_(options),
      wrap_(std::move(wrap)),
      on_reject_(std::move(on_reject)),
      rng_(static_cast<std::uint64_t>(loop.now().wall.time_since_epoch().count())) {
    sweeper_ = loop_.after(kSweepEvery, [this] { sweep(); });
}

Server::~Server() {
    *alive_ = false;
    listeners_.clear();
    for (const auto& connection : connections_) connection->abandon();
}

void Server::reconfigure(const ServerOptions& options) {
    options_ = options;
    per_prefix_.clear();
    if (options_.connections_per_prefix == 0) return;
    for (const auto& connection : connections_) ++per_prefix_[network_of(connection->peer().address)];
}

void Server::accept(std::unique_ptr<Stream> stream) try {
    take(std::move(stream));
} catch (const std::bad_alloc&) {
    // The stream is gone, and its peer with it; nobody else is touched.
}

void Server::take(std::unique_ptr<Stream> stream) {
    const std::size_t of_prefix = neighbours(stream->peer());
    const bool crowded = options_.connections_per_prefix > 0 && of_prefix >= options_.connections_per_prefix;
    // Nobody leaves for one whose prefix has its share.
    const bool full = connections_.size() >= options_.connections_max && (crowded || !close_oldest_idle());
    if (connections_.size() >= options_.connections_max + options_.shed_reserve && (crowded || !end_oldest_shed()))
        return count_reject({"connections", stream->peer()});
    const Cap over = full ? Cap::connections : crowded ? Cap::prefix : Cap::none;
    if (over != Cap::none) count_reject({name(over), stream->peer()});
    if (crowded && of_prefix >= options_.connections_per_prefix + options_.shed_reserve) return;
    if (wrap_) stream = wrap_(std::move(stream));
    auto connection = std::make_unique<Connection>(*this, std::move(stream), over);
    connection->slot = connections_.size();
    connections_.reserve(connections_.size() + 1 > connections_.capacity() ? 2 * connections_.size() + 64 : 0);
    closed_.reserve(connections_.capacity());  // closing must not need memory
    shed_.reserve(connections_.capacity());
    if (options_.connections_per_prefix > 0) ++per_prefix_[network_of(connection->peer().address)];
    if (connection->shed()) shed_.push_back(connection.get());
    connections_.push_back(std::move(connection));
    connections_.back()->start();
}

// Connections of the peer's network that are counted; 0 where none are.
std::size_t Server::neighbours(const PeerInfo& peer) const {
    if (options_.connections_per_prefix == 0) return 0;
    const auto at = per_prefix_.find(network_of(peer.address));
    return at == per_prefix_.end() ? 0 : at->second;
}

// Makes room for a new connection at the cap: the one that has been idle for longest leaves.
bool Server::close_oldest_idle() {
    auto* oldest = static_cast<Connection*>(idle_.first());
    if (oldest == nullptr || loop_.now().mono - oldest->idle_since() < 1s) return false;
    oldest->drain();
    erase_closed();  // now, for the next ones of this turn: nobody's callback is being called
    return true;
}

// The places above the cap are for short answers, /healthz among them: who is slow there gives way to the next.
bool Server::end_oldest_shed() {
    const auto oldest = std::find_if(shed_.begin(), shed_.end(),
                                     [](const Connection* c) { return c->phase() != Connection::Phase::closed; });
    if (oldest == shed_.end()) return false;
    (*oldest)->cut();
    erase_closed();  // now, as each has a descriptor
    return true;
}

void Server::erase_later(Connection& connection) {
    closed_.push_back(&connection);
    schedule();
}

void Server::resume_later(Connection& connection) {
    if (std::exchange(connection.waiting, true)) return;
    waiting_.push_back(&connection);
    schedule();
}

void Server::schedule() {
    if (scheduled_) return;
    try {
        loop_.defer([this, alive = alive_] {
            if (!*alive) return;
            scheduled_ = false;
            resume_waiting();
            erase_closed();
        });
        scheduled_ = true;
    } catch (const std::bad_alloc&) {
        // The next sweep schedules what waits now.
    }
}

void Server::resume_waiting() {
    std::vector<Connection*> waiting;
    waiting.swap(waiting_);
    for (Connection* c : waiting) {
        c->waiting = false;
        c->resume_input();
    }
}

void Server::erase_closed() {
    std::vector<Connection*> closed;
    closed.swap(closed_);
    for (Connection* c : closed) {
        if (c->waiting) std::erase(waiting_, c);
        if (c->shed()) std::erase(shed_, c);
        if (options_.connections_per_prefix > 0) {
            const auto at = per_prefix_.find(network_of(c->peer().address));
            if (at != per_prefix_.end() && --at->second == 0) per_prefix_.erase(at);
        }
        const std::size_t slot = c->slot;
        HF_CHECK(slot < connections_.size() && connections_[slot].get() == c);
        std::swap(connections_[slot], connections_.back());
        connections_[slot]->slot = slot;
        connections_.pop_back();
    }
    closed.clear();
    if (closed_.empty()) closed_.swap(closed);  // its room is kept
}

void Server::sweep() {
    const MonoTime now = loop_.now().mono;
    for (const auto& c : connections_) c->check_deadlines(now);
    if (!closed_.empty() || !waiting_.empty()) schedule();
    sweeper_->restart(kSweepEvery);
}

void Server::stop_accepting() {
    lame_duck_ = true;
    listeners_.clear();
    for (const auto& c : connections_) c->drain();
}

void Server::hand_over() {
    lame_duck_ = true;
    listeners_.clear();
    for (const auto& c : connections_) c->see_off();
}

std::size_t Server::idle_since(MonoTime since) const {
    return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), [since](const auto& c) {
        return c->phase() == Connection::Phase::idle && !c->fresh() && c->idle_since() < since;
    }));
}

bool Server::owes_answers(bool fresh) const {
    return std::any_of(connections_.begin(), connections_.end(), [fresh](const auto& c) {
        const Connection::Phase phase = c->phase();
        if (phase == Connection::Phase::closed || phase == Connection::Phase::lingering) return false;
        return fresh || (phase != Connection::Phase::handshake && !(phase == Connection::Phase::idle && c->fresh()));
    });
}

void Server::cut() {
    for (const auto& c : connections_)
        if (c->phase() != Connection::Phase::lingering) c->cut();
}

Server::Counts Server::counts() const {
    Counts out;
    for (const auto& c : connections_) {
        switch (c->phase()) {
            case Connection::Phase::handshake:
                ++out.handshake;
                break;
            case Connection::Phase::idle:
                ++out.idle;
                break;
            case Connection::Phase::closed:
                break;
            default:
                ++out.active;
        }
    }
    return out;
}

}  // namespace holdfast
