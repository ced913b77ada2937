#include "tests/sim/clients.h"

#include <algorithm>
#include <cmath>

#include "edge/base/check.h"

namespace holdfast::sim {

Clients::Clients(Seams seams, const WorldPlan& plan)
    : seams_(std::move(seams)),
      plan_(plan),
      view_(seams_.world),
      host_(seams_.net, view_, kClientAddress),
      rng_(seams_.seed) {
    for (const char* id : {"app-a", "app-b"}) secrets_.emplace(id, HmacSha256(secret_of(id)));
    secrets_.emplace("forged", HmacSha256("a secret that nobody gave"));
}

void Clients::begin() {
    arriving_ = true;
    arrival_ = view_.after(Nanos(0), [this] { arrive(); });
}

void Clients::behave(double rate) {
    plan_.arrivals = rate;
    plan_.abort = plan_.repeat = plan_.conflict = plan_.replay = plan_.forged = plan_.lookup = plan_.poison = 0;
    plan_.live_only = 0;
}

void Clients::arrive() {
    if (!arriving_) return;
    const std::uint64_t burst = rng_.chance(0.05) ? 1 + rng_.below(10) : 1;
    for (std::uint64_t i = 0; i < burst; ++i) ask_something();
    const double wait = -std::log(1.0 - rng_.unit()) / plan_.arrivals;
    arrival_->restart(Nanos(static_cast<std::int64_t>(wait * 1e9)));
}

void Clients::ask_something() {
    static constexpr AskKind kAgain[] = {AskKind::repeat, AskKind::conflict, AskKind::replay, AskKind::lookup};
    const double chances[] = {plan_.repeat, plan_.conflict, plan_.replay, plan_.lookup};
    Asked asked;
    std::string body;
    for (std::size_t i = 0; i < 4; ++i)
        if (rng_.chance(chances[i]) && make_again(asked, body, kAgain[i])) return submit(std::move(asked), body);
    make_fresh(asked, body);
    if (rng_.chance(plan_.forged)) asked.kind = AskKind::forged;
    submit(std::move(asked), std::move(body));
}

std::size_t Clients::ask_fresh() {
    Asked asked;
    std::string body;
    make_fresh(asked, body);
    submit(std::move(asked), std::move(body));
    return seams_.history.asked.size() - 1;
}

ClientConnection* Clients::idle_connection() {
    std::vector<ClientConnection*> old;
    ClientConnection* found = nullptr;
    for (const auto& c : connections_) {
        if (!c->idle()) continue;
        // The node closes what is idle for long; a client that keeps it just as long would lose requests to the race.
        if (now() - c->idle_since > 20s)
            old.push_back(c.get());
        else if (found == nullptr)
            found = c.get();
    }
    for (ClientConnection* c : old) drop(*c);
    return found;
}

void Clients::transmit(std::size_t id) {
    patience_[id] = view_.after(kPatience, [this, id] { finish(id, AskEnd::silent); });
    ClientConnection* idle = rng_.chance(0.8) ? idle_connection() : nullptr;
    if (idle != nullptr) return send_on(*idle, id);
    dialling_[id] = host_.dial({kNodeAddress, kNodePort, false, ""},
                               [this, id](Result<std::unique_ptr<Stream>> got) { connected(id, std::move(got)); });
}

void Clients::connected(std::size_t id, Result<std::unique_ptr<Stream>> stream) {
    if (!stream) return finish(id, AskEnd::lost);
    ClientConnection::Events events;
    events.answered = [this](ClientConnection& c, const ResponseHead& head, const std::string& body) {
        answered(c, head, body);
    };
    events.lost = [this](ClientConnection& c, const std::string&) {
        finish(c.asked, AskEnd::lost);
        drop(c);
    };
    events.closed = [this](ClientConnection& c) { drop(c); };
    events.surplus = [this](ClientConnection& c, const std::string& what) {
        seams_.history.violated("answered-once", what + " of request " + std::to_string(c.asked), now());
        drop(c);
    };
    connections_.push_back(std::make_unique<ClientConnection>(std::move(*stream), std::move(events)));
    connections_.back()->start();
    send_on(*connections_.back(), id);
}

void Clients::send_on(ClientConnection& connection, std::size_t id) {
    Asked& asked = seams_.history.asked[id];
    asked.sent = now();
    asked.node_wall = seams_.node_wall();
    connection.asked = id;
    const std::string& bytes = wires_[id].bytes;
    const bool leaves = rng_.chance(plan_.abort);
    // One that leaves may leave before it has said all.
    asked.was_sent = !(leaves && rng_.chance(0.3));
    connection.send(asked.was_sent ? bytes : bytes.substr(0, bytes.size() - 1 - rng_.below(bytes.size() - 1)));
    if (leaves) maybe_leave(id);
}

void Clients::maybe_leave(std::size_t id) {
    leaving_[id] = view_.after(Millis(rng_.below(800)), [this, id] {
        if (seams_.history.asked[id].end == AskEnd::open) finish(id, AskEnd::aborted);
    });
}

void Clients::finish(std::size_t id, AskEnd end) {
    Asked& asked = seams_.history.asked[id];
    if (asked.end != AskEnd::open) return;
    asked.end = end;
    asked.ended = now();
    asked.node_wall_end = seams_.node_wall();
    --open_;
    dialling_.erase(id);
    if (end == AskEnd::aborted || end == AskEnd::silent)
        for (const auto& c : connections_)
            if (c->asked == id && !c->idle() && !c->dead()) {
                drop(*c);
                break;
            }
    patience_[id]->stop();
    seams_.on_end(asked);
    seams_.world.defer([this, id] {
        patience_.erase(id);
        leaving_.erase(id);
    });
}

// Never inside a call of its stream: it is destroyed at the end of the turn.
void Clients::drop(ClientConnection& connection) {
    const auto at = std::find_if(connections_.begin(), connections_.end(),
                                 [&connection](const auto& c) { return c.get() == &connection; });
    if (at == connections_.end()) return;
    auto gone = std::make_shared<std::unique_ptr<ClientConnection>>(std::move(*at));  // owner: the deferred call
    connections_.erase(at);
    seams_.world.defer([gone] {});
}

void Clients::answered(ClientConnection& connection, const ResponseHead& head, const std::string& body) {
    Asked& asked = seams_.history.asked[connection.asked];
    if (asked.end != AskEnd::open) {
        seams_.history.violated("answered-once", "a second answer to request " + std::to_string(asked.id), now());
        return;
    }
    asked.status = head.status;
    asked.cache_status = std::string(head.headers.get("Cache-Status"));
    read_body(asked, body);
    connection.idle_since = now();
    if (connection.dead()) drop(connection);
    finish(asked.id, AskEnd::answered);
    if (seams_.mutant == Mutant::answers_twice && asked.id == 20 && !connection.dead()) connection.repeat_last_answer();
}

void Clients::read_body(Asked& asked, const std::string& body) {
    const auto root = document_.parse(body);
    if (!root) {
        seams_.history.violated("answer-is-json", body, now());
        return;
    }
    const auto text = [&root](std::string_view key) { return std::string((*root)[key].text().value_or("")); };
    asked.code = text("code");
    asked.outcome = text("outcome");
    asked.source = text("source");
    asked.verification_id = text("verificationId");
    asked.request_id = text("requestId");
    asked.order_echo = text("orderNo");
    asked.degraded = (*root)["degraded"].boolean().value_or(false);
    asked.age_seconds = (*root)["ageSeconds"].integer().value_or(-1);
    asked.decided_at = parse_rfc3339(text("decidedAt"));
}

}  // namespace holdfast::sim
