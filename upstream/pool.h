// The connections to one endpoint: at most `connections` tries at a time (a Place each), a bounded queue in front of
// them, and idle keep-alive connections for reuse. A Place is a token: dropped, the next in the queue gets it.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/net/http_client.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"
#include "upstream/endpoint.h"
#include "upstream/recent_times.h"
#include "upstream/resolver.h"

namespace holdfast {

// A timer that fires so late tells of a stall of our own: answers may lie unread. Who judges a peer by it arms it once
// more for now, so that the loop reads them first. A few times the millisecond that timers are rounded to; one too many
// costs a turn of the loop.
inline constexpr Nanos kStallSeen = 5ms;

struct PoolOptions {
    std::uint32_t connections = 256; // tries at a time
    std::uint32_t queue = 1024;      // calls that wait for a place
    std::uint32_t idle = 256;        // kept connections
    Nanos idle_timeout = 30s;
    Nanos max_age = 10min; // of a connection; it is then not used again, so that new addresses are taken up
    std::uint64_t answer_bytes = ResponseLimits{}.body_bytes; // of one answer's body
};

class Pool;

// The right to have one try under way at this endpoint. Requires: the pool outlives it.
class Place {
  public:
    Place() = default;
    explicit Place(Pool& pool) : pool_(&pool) {}
    Place(Place&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}
    Place& operator=(Place&& other) noexcept;
    ~Place() { drop(); }
    void drop();
    bool held() const { return pool_ != nullptr; }

  private:
    Pool* pool_ = nullptr;
};

// A connection with its age, so that the pool knows when to retire it.
struct PooledConnection {
    std::unique_ptr<HttpClient> client;
    MonoTime made{};
    bool reused = false; // it has served a request before
    bool own_ids = false; // its first answer named another request than was sent: see echo.h
    std::uint64_t generation = 0;  // of the pool when it was begun
};

class Pool {
  public:
    // Of the time that one address gets to connect: some round trips within a region, however many addresses there are.
    static constexpr Nanos kAddressShareMin = 20ms;
    // The same while it is not known what connecting takes (RFC 8305 section 5, Connection Attempt Delay).
    static constexpr Nanos kAddressShareUnknown = 250ms;
    // After an answer: another connection is taken meanwhile, where there is one. What the centre sent in one go with
    // it has come by then, and 1,000 answers a second keep two connections resting.
    static constexpr Nanos kRest = 2ms;
    // The latest, by which is judged what connecting takes: a slow one is forgotten when a pool has filled anew.
    static constexpr std::size_t kConnectTimes = 16;

    // Requires: what is given outlives it, and it outlives its Places.
    Pool(Loop& loop, Dialer& dialer, Network& network, const Endpoint& endpoint, PoolOptions options,
         ResolverOptions resolver = {});
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // A place now, or one that does not hold when all are taken or others wait.
    Place enter();
    // In the queue for a place, first in first out; destroying the Pending leaves it. Code::full, Origin::local, when
    // the queue is full. `granted` is never called inside this call.
    Result<std::unique_ptr<Pending>> wait(std::function<void(Place)> granted);

    // An idle connection on which nothing has come since its last answer; its client is null when there is none.
    PooledConnection take_idle();
    // The same for a call whose answer decides: where none has rested for kRest and there is room for one more, also
    // with this call's own Place, none is taken, and the caller connects anew. So a surplus answer shows before the
    // connection serves another call, also under load; at most kRest's worth of calls are more connections.
    PooledConnection take_rested();
    // Back for reuse; closed instead when it is not usable, too old, or one too many.
    void give_back(PooledConnection connection);
    // A new connection: the known addresses in turn until `by`, the last good one first, or the one behind it where a
    // dial to that was cut off, also by destroying the Pending. Origin::local when no address is known, when we are
    // short of what any of them needs, or when each failed for a reason of ours; Code::invalid when the peer spoke
    // before it was asked. `done` is never called inside this call.
    using Connected = std::function<void(Result<PooledConnection>)>;
    [[nodiscard]] std::unique_ptr<Pending> connect(MonoTime by, Connected done);

    // What connecting to an address takes at most, with TLS; nothing before one has connected, or was cut off.
    std::optional<Nanos> connect_longest() { return connect_times_.longest(); }

    Nanos max_age() const { return options_.max_age; }
    const Endpoint& endpoint() const { return endpoint_; }
    const Resolver& resolver() const { return resolver_; }
    std::uint32_t busy() const { return busy_; }
    std::size_t queued() const { return queue_.size(); }
    std::size_t idle() const { return idle_.size(); }
    // A reload: what is under way goes on; idle connections beyond the new bound are closed.
    void reconfigure(PoolOptions options, ResolverOptions resolver);
    // What is connected with counts no more (other certificates): the next try takes a fresh connection, and one that
    // is in use, or in the making, is not kept after it.
    void renew();
    void sweep(MonoTime now); // closes idle connections that are over their time; call about once a second

  private:
    friend class Place;
    class Waiter;
    class Connecting;
    struct Idle {
        PooledConnection connection;
        MonoTime since;
    };
    void leave();
    void pump();
    void pump_soon();
    void feed();

    Loop& loop_;
    Dialer& dialer_;
    Endpoint endpoint_;
    PoolOptions options_;
    ResponseLimits limits_;
    Resolver resolver_;
    std::uint32_t busy_ = 0;
    std::list<Waiter*> queue_;      // the oldest first; at most options_.queue
    std::list<Connecting*> hungry_; // wait for the first answer of the resolver; at most options_.connections
    std::vector<Idle> idle_;        // the newest last; at most options_.idle
    std::uint64_t generation_ = 0;  // renewals
    std::string first_address_;     // where the next dial begins; empty: not known yet
    RecentTimes<kConnectTimes> connect_times_;
    std::unique_ptr<Timer> pump_;
};

} // namespace holdfast
