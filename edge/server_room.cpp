// How a Server keeps to its cap of memory: who leaves when it is reached.
#include <algorithm>
#include <new>

#include "edge/net/network_of.h"
#include "edge/server.h"

namespace holdfast {

// More than a client has that reads in time: answers up to Connection::kUnsentMax and the one begun below it, and a
// read of what it sends ahead.
constexpr std::size_t kHoldsMuch = 64 << 10;

// Those leave that have taken nothing for longest, then those that hold most, until an eighth of the cap is free: the
// next search has to be worth its walk. Bodies do not leave here; where they are what fills the cap, nobody leaves for
// the little that a client holds who takes what is there for it.
void Server::relieve(const Connection* spared) try {
    const MonoTime now = loop_.now().mono;
    if (now < next_relief_) return;
    std::vector<Connection*> holders;
    std::size_t theirs = 0;
    for (const auto& c : connections_)
        if (c->held() > 0 && c.get() != spared) {
            holders.push_back(c.get());
            theirs += c->held();
        }
    std::sort(holders.begin(), holders.end(), [now](const Connection* a, const Connection* b) {
        const MonoTime of_a = a->stalled_since(now), of_b = b->stalled_since(now);
        return of_a != of_b ? of_a < of_b : a->held() > b->held();
    });
    const std::size_t enough = options_.memory_max - options_.memory_max / 8;
    const bool helps = *memory_ - theirs <= enough;
    for (Connection* c : holders) {
        if (*memory_ <= enough) return;
        if (helps || c->stalled_since(now) < now || c->held() > kHoldsMuch) c->make_way();
    }
    next_relief_ = now + kSearchEvery;  // the rest is bodies
} catch (const std::bad_alloc&) {
    next_relief_ = loop_.now().mono + kSearchEvery;
}

void Server::count_shares(MonoTime now) {
    next_count_ = now + kSearchEvery;
    shares_.clear();
    heaviest_.clear();
    std::size_t most = 0;
    for (const auto& c : connections_) {
        if (c->body_held() == 0) continue;
        std::string network = network_of(c->peer().address);
        std::size_t& bytes = shares_[network];
        bytes += c->body_held();
        if (bytes <= most) continue;
        most = bytes;
        heaviest_ = std::move(network);
    }
}

// The oldest first: who sends at a good rate is done before its turn.
void Server::end_bodies_of(const std::string& network, std::size_t enough) {
    std::vector<Connection*> senders;
    for (const auto& c : connections_)
        if (c->body_held() > 0 && network_of(c->peer().address) == network) senders.push_back(c.get());
    std::sort(senders.begin(), senders.end(),
              [](const Connection* a, const Connection* b) { return a->body_since() < b->body_since(); });
    for (Connection* c : senders) {
        if (*memory_ <= enough) return;
        c->give_up_body();
    }
}

// One network may have all of the memory for as long as nobody else wants it. Then what it has above its share goes,
// for one that is below its own.
bool Server::make_room(const Connection& wants, std::size_t bytes) {
    const std::size_t max = options_.memory_max;
    if (bytes > max) return false;
    relieve(&wants);
    if (*memory_ + bytes <= max) return true;
    const MonoTime now = loop_.now().mono;
    if (now >= next_count_) count_shares(now);
    const std::size_t share = max / kNetworkShare;
    const auto own = shares_.find(network_of(wants.peer().address));
    if (heaviest_.empty() || shares_[heaviest_] <= share) return false;
    if (own != shares_.end() && own->second + bytes > share) return false;
    end_bodies_of(heaviest_, max - std::max(bytes, max / 16));
    count_shares(now);
    return *memory_ + bytes <= max;
}

}  // namespace holdfast
