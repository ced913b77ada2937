// A listener and its connections: accepts, keeps the caps, sweeps the deadlines, and is the one place where a
// Connection is erased. The client listener and the admin listeners are three of these.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/connection.h"
#include "edge/net/http_parser.h"
#include "edge/net/http_writer.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"
#include "edge/request_id.h"
#include "edge/service.h"

namespace holdfast {

struct ServerOptions {
    RequestLimits request_limits;
    std::size_t connections_max = 10000;
    std::size_t shed_reserve = 64;           // connections above a cap that still get their 503
    std::size_t connections_per_prefix = 0;  // per /24 or /48; 0: no limit
    std::size_t memory_max = 512u << 20;     // request bodies in flight, what clients send ahead or leave unread
    std::size_t body_rate_min = 8u << 10;    // bytes a second
    Nanos handshake_timeout = 5s;
    Nanos header_timeout = 10s;
    Nanos body_timeout = 10s;
    Nanos write_stall_timeout = 10s;
    Nanos keepalive_timeout = 60s;
};

class Server {
  public:
    static constexpr Nanos kSweepEvery = 250ms;
    static constexpr Nanos kSearchEvery = 20ms;  // for connections that hold memory, at its cap
    // Of limits.memory, for the bodies of one network: a quarter. Less would hit the many clients behind a carrier's
    // one address, more would let two networks keep out all others.
    static constexpr std::size_t kNetworkShare = 4;

    // What was refused below the level of requests.
    struct Rejected {
        std::string_view reason;  // a literal, of a closed set
        const PeerInfo& peer;
        std::optional<ApiCode> answered{};     // with what code, if it was answered
        std::optional<std::uint64_t> bytes{};  // of its message had come
        std::string_view request_id{};         // of the answer
    };
    // `on_reject` accounts for it. `wrap` puts TLS on an accepted stream; empty: none. Requires: loop and service
    // outlive it.
    using Wrap = std::function<std::unique_ptr<Stream>(std::unique_ptr<Stream>)>;
    using OnReject = std::function<void(const Rejected& rejected)>;
    Server(Loop& loop, Service& service, ServerOptions options, Wrap wrap, OnReject on_reject);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void accept(std::unique_ptr<Stream> stream);  // what listeners call
    void adopt(std::unique_ptr<Listener> listener) { listeners_.push_back(std::move(listener)); }
    bool listens() const { return !listeners_.empty(); }
    int port() const { return listeners_.empty() ? 0 : listeners_.front()->port(); }

    // No new connections and no further request on the old ones; answers carry Connection: close.
    void stop_accepting();
    // A successor has the listeners: no new connections here, the old ones end as by Connection::see_off().
    void hand_over();
    // Connections kept alive since before `since` and not used again.
    std::size_t idle_since(MonoTime since) const;
    // Whether a connection has asked, or (`fresh`) has only just come and is about to.
    bool owes_answers(bool fresh) const;
    void cut();  // the connections that still wait for something end now; those that have their last answer may linger
    // A reload: from the next request, and the next wait, on; connections above a lower cap stay.
    void reconfigure(const ServerOptions& options);
    void set_lame_duck(bool on) { lame_duck_ = on; }  // answers carry Connection: close, all is still served
    bool draining() const { return lame_duck_; }

    struct Counts {
        std::size_t handshake = 0, idle = 0, active = 0;
    };
    Counts counts() const;
    std::size_t size() const { return connections_.size(); }
    std::size_t memory_used() const { return *memory_; }

    // For Connection only.
    Loop& loop() { return loop_; }
    IdleLine& idle() { return idle_; }
    Service& service() { return service_; }
    const ServerOptions& options() const { return options_; }
    std::string& scratch() { return scratch_; }
    std::string_view date() { return date_.text(loop_.now().wall); }
    std::string next_request_id() { return make_request_id(loop_.now().wall, rng_); }  // of refusals below a service
    const MemoryCount& memory() const { return memory_; }
    Seconds retry_after() { return Seconds(1 + static_cast<std::int64_t>(rng_.below(3))); }  // with jitter
    void erase_later(Connection& connection);
    void resume_later(Connection& connection);
    // What a connection holds for its client was `before` bytes and is `after`. Above the cap others may leave.
    void weigh(std::size_t before, std::size_t after) {
        *memory_ += after - before;
        if (after > before && *memory_ > options_.memory_max) relieve();
    }
    // Whether `bytes` more of a body fit now that others, with more than their share, have left.
    bool make_room(const Connection& wants, std::size_t bytes);
    // Whether new work of this connection (except health checks) is refused.
    bool shedding(const Connection& wants) {
        return *memory_ >= options_.memory_max && !make_room(wants, 1);
    }
    void count_reject(const Rejected& rejected) { on_reject_(rejected); }

  private:
    void take(std::unique_ptr<Stream> stream);
    void sweep();
    void erase_closed();
    void resume_waiting();
    bool close_oldest_idle();
    bool end_oldest_shed();
    void relieve(const Connection* spared = nullptr);
    void count_shares(MonoTime now);
    void end_bodies_of(const std::string& network, std::size_t enough);
    std::size_t neighbours(const PeerInfo& peer) const;
    void schedule();

    Loop& loop_;
    Service& service_;
    ServerOptions options_;
    Wrap wrap_;
    OnReject on_reject_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    IdleLine idle_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::unordered_map<std::string, std::size_t> per_prefix_;  // only with connections_per_prefix
    std::vector<Connection*> shed_;                            // those over the cap, the oldest first
    std::vector<Connection*> closed_;                          // to be erased at the end of this turn
    std::vector<Connection*> waiting_;                         // with input to take up
    std::unique_ptr<Timer> sweeper_;
    MonoTime next_relief_{}, next_count_{};
    std::unordered_map<std::string, std::size_t> shares_;  // bytes of bodies by network, as last counted
    std::string heaviest_;                                 // of them
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: the Server, and its deferred calls
    bool scheduled_ = false;
    bool lame_duck_ = false;
    MemoryCount memory_ = std::make_shared<std::size_t>(0);
    std::string scratch_;
    Rng rng_;
    HttpDate date_;
};

}  // namespace holdfast
