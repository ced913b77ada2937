// The callers of a simulated node: they arrive at random, sign as a caller's library would, keep connections, ask the
// same order again, replay bytes, forge, leave early. What they asked and got is in the History.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/crypto.h"
#include "edge/base/json.h"
#include "edge/base/rng.h"
#include "tests/sim/client_connection.h"
#include "tests/sim/history.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/world_plan.h"

namespace holdfast::sim {

class Clients {
  public:
    static constexpr std::size_t kAskedMax = 50'000;
    static constexpr Nanos kPatience = 30s;

    struct Seams {
        SimLoop& world;
        SimNet& net;
        History& history;
        std::function<WallTime()> node_wall;
        std::function<void(const Asked&)> on_end;  // each request, at its end
        std::uint64_t seed = 1;
        Mutant mutant = Mutant::none;
    };
    Clients(Seams seams, const WorldPlan& plan);

    void begin();
    void stop() { arriving_ = false; }
    // From now on nothing but fresh, honest requests, `rate` a second.
    void behave(double rate);
    std::size_t ask_fresh();  // now; its index in the history
    std::size_t open() const { return open_; }

    static std::string secret_of(const std::string& credential) { return "the secret of " + credential; }

  private:
    struct Wire {  // what a request was made of, by its index in the history
        std::string bytes, body;
    };
    void arrive();
    void ask_something();
    void make_fresh(Asked& asked, std::string& body);
    bool make_again(Asked& asked, std::string& body, AskKind kind);
    void submit(Asked asked, std::string body);
    std::string signed_bytes(Asked& asked, const std::string& body);
    void transmit(std::size_t id);
    void send_on(ClientConnection& connection, std::size_t id);
    void connected(std::size_t id, Result<std::unique_ptr<Stream>> stream);
    void answered(ClientConnection& connection, const ResponseHead& head, const std::string& body);
    void read_body(Asked& asked, const std::string& body);
    void finish(std::size_t id, AskEnd end);
    void maybe_leave(std::size_t id);
    void drop(ClientConnection& connection);
    ClientConnection* idle_connection();
    MonoTime now() const { return seams_.world.now().mono; }

    Seams seams_;
    WorldPlan plan_;
    NodeView view_;
    SimHost host_;
    Rng rng_;
    json::Document document_;
    std::vector<Wire> wires_;
    std::list<std::unique_ptr<ClientConnection>> connections_;
    std::map<std::size_t, std::unique_ptr<Pending>> dialling_;
    std::map<std::size_t, std::unique_ptr<Timer>> patience_, leaving_;
    std::vector<std::unique_ptr<Timer>> spent_;
    std::map<std::string, HmacSha256> secrets_;
    std::unique_ptr<Timer> arrival_;
    bool arriving_ = false;
    std::size_t open_ = 0;
    std::uint64_t next_order_ = 0, next_nonce_ = 0;
};

}  // namespace holdfast::sim
