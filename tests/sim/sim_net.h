// A network in memory for the simulation: hosts with addresses, byte streams between them with delay, split reads and
// bounded windows, and faults by chance or by hand: refused and hanging dials, resets, partitions, names that do not
// resolve. Bytes of a direction never overtake each other. Everything random comes from one seed. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "edge/base/rng.h"
#include "edge/net/stream.h"
#include "tests/sim/sim_loop.h"

namespace holdfast::sim {

// What happens between two hosts. Chances are per dial (refuse, hang) or per delivered piece (the rest).
struct LinkPlan {
    Nanos delay_min = std::chrono::microseconds(200);
    Nanos delay_max = 1ms;
    double split = 0; // a piece is cut in up to kPiecesMax
    double late = 0;  // a piece, and all behind it, comes `late_by` later: a lost packet
    Nanos late_by = 200ms;
    double reset = 0;  // the connection dies instead
    double refuse = 0; // a dial finds nobody
    double hang = 0;   // a dial is never answered
};

struct NetStats {
    std::uint64_t dials = 0;
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::uint64_t resets = 0;
    std::uint64_t bytes = 0;
};

class SimHost;
struct Conn;

class SimNet {
  public:
    static constexpr std::size_t kPiecesMax = 8;

    SimNet(SimLoop& world, std::uint64_t seed) : world_(world), rng_(seed) {}
    ~SimNet();
    SimNet(const SimNet&) = delete;
    SimNet& operator=(const SimNet&) = delete;

    void set_plan(const LinkPlan& plan) { plan_ = plan; } // of links without one of their own
    void set_plan(const std::string& from, const std::string& to, const LinkPlan& plan) { plans_[{from, to}] = plan; }
    // While cut, what would arrive waits, dials hang, and nobody is told; healing delivers it in order.
    void partition(const std::string& a, const std::string& b, bool cut);
    void reset_between(const std::string& a, const std::string& b); // every connection between the two, now
    // What resolve() answers; an empty list is a failure of the resolver. Literals always answer themselves.
    void set_name(const std::string& name, std::vector<std::string> addresses) { names_[name] = std::move(addresses); }
    void set_window(std::size_t bytes) { window_ = bytes; } // of each direction of a new connection
    const NetStats& stats() const { return stats_; }
    std::size_t connections() const; // with at least one end open

    // For the rooms of the simulation.
    SimLoop& world() { return world_; }
    Rng& rng() { return rng_; }
    NetStats& count() { return stats_; }
    const LinkPlan& plan(const std::string& from, const std::string& to) const;
    Nanos delay(const LinkPlan& plan);
    // Runs `run` on `to`'s view at `at`, or when the partition between the two heals.
    void deliver(const SimHost& from, const SimHost& to, MonoTime at, std::function<void()> run);
    void deliver(const std::pair<std::string, std::string>& link, NodeView* view, MonoTime at,
                 std::function<void()> run);
    SimHost* host_at(const std::string& address) const;
    void connect(const std::string& from, const Target& target, int from_port, Nanos back, Dialer::Done done);
    const std::vector<std::string>* name(const std::string& name) const;
    std::size_t window() const { return window_; }

  private:
    friend class SimHost;
    using Link = std::pair<std::string, std::string>;
    struct Held {
        NodeView* view;
        std::function<void()> run;
    };
    SimLoop& world_;
    Rng rng_;
    LinkPlan plan_;
    std::map<Link, LinkPlan> plans_;
    std::set<Link> cut_;
    std::map<Link, std::deque<Held>> held_;
    std::map<std::string, SimHost*> hosts_;
    std::map<std::string, std::vector<std::string>> names_;
    void watch(const std::shared_ptr<Conn>& conn);
    std::vector<std::weak_ptr<Conn>> conns_;
    std::size_t compact_at_ = 64;
    std::size_t window_ = 64 * 1024;
    NetStats stats_;
};

// One machine on the network, seen by the node on it. Its view's kill() resets every connection and closes every port.
class SimHost : public Network {
  public:
    SimHost(SimNet& net, NodeView& view, std::string address);
    ~SimHost() override;
    SimHost(const SimHost&) = delete;
    SimHost& operator=(const SimHost&) = delete;

    [[nodiscard]] Result<std::unique_ptr<Listener>> listen(const std::string& address, Accept accept) override;
    // Requires: !target.tls (TlsDialer does that on top).
    [[nodiscard]] std::unique_ptr<Pending> dial(const Target& target, Done done) override;
    [[nodiscard]] std::unique_ptr<Pending> resolve(const std::string& host, Resolved done) override;

    const std::string& address() const { return address_; }
    NodeView& view() const { return view_; }
    SimNet& net() const { return net_; }

    // For the rooms of the simulation.
    struct Port;
    Port* port(int number);
    void close_port(int number);

  private:
    void drop_all();
    SimNet& net_;
    NodeView& view_;
    std::string address_;
    std::map<int, std::unique_ptr<Port>> ports_;
    int next_port_ = 40000;
    std::shared_ptr<SimHost*> self_ = std::make_shared<SimHost*>(this); // what the view's kill() watches
};

} // namespace holdfast::sim
