// The workings of Fleet: which requests are under way, when the next ones are due, and what their answers are told to.
// One step() looks at everything; beats, answers and news of the circuit all end in it. It decides nothing about the
// circuit: FleetCircuit does.
#pragma once

#include <optional>

#include "upstream/fleet.h"

namespace holdfast {

// When to ask again after a failure: doubles, with jitter; a success sets it back.
class Retry {
  public:
    bool due(MonoTime t) const { return t >= next_; }
    void failed(MonoTime t, Rng& rng);
    void succeeded() { failures_ = 0; }
    void not_before(MonoTime t) { next_ = t; }

  private:
    std::uint32_t failures_ = 0;
    MonoTime next_{};
};

class Fleet::Link {
  public:
    static constexpr Nanos kReadGap = 200ms;  // between reads that are wanted at once
    static constexpr int kOrderTries = 3;

    Link(Coordinator& store, Loop& loop, Rng& rng, Circuit& circuit, FleetOptions options, FleetMemory memory,
         FleetHooks hooks, Nanos spread);
    void step();
    void reconfigure(Nanos probe_limit, const CircuitOptions& circuit);
    void soon() { soon_->restart(Nanos{0}); }
    FleetStatus status() const;
    void order(FleetOrder order, Nanos span, std::string by, std::string why, std::function<void(Result<void>)> done,
               std::optional<OrderKind> ends);
    void accept_store();
    void leave(bool for_good, std::function<void()> done);
    FleetCircuit& machine() { return machine_; }
    Now now() const { return {hooks_.clock(), loop_.now().wall}; }

  private:
    struct Order {
        FleetOrder order = FleetOrder::none;
        std::optional<OrderKind> ends;
        Nanos span{0};
        std::string by, why;
        std::function<void(Result<void>)> done;
        MonoTime deadline{};
        int tries = 0;
        Revision seen = 0;                 // of what stood when it was given; 0: nothing
        std::vector<OverrideRecord> sent;  // by tries: one that came late may stand yet
        bool unknown = false;              // the fate of one of them
        bool stands = false;               // in the store; it is done when it binds here
    };

    Nanos timeout() const;
    void read(Now now);
    void was_read(const Result<RangeAnswer>& answer, MonoTime sent);
    void watch(Now now);
    void keep_node(Now now);
    void keep_probe(Now now);
    void grant(bool probe);
    void keep_alive(bool probe);
    void drop(bool probe);
    void save();
    void adopt();
    void write(Now now);
    void send(FleetWrite write, Now now);
    void written(const FleetWrite& write, const Result<TxnAnswer>& answer);
    std::optional<FleetWrite> next_order(Now now);
    Result<bool> order_done() const;
    void end_order(Result<void> result);
    void tell_order();
    void tell();
    FleetPeer peer(const std::string& name, Now now) const;

    Coordinator& store_;
    Loop& loop_;
    Rng& rng_;
    Circuit& circuit_;
    FleetHooks hooks_;
    FleetCircuit machine_;
    MonoTime begins_{};
    Retry read_retry_, watch_retry_, node_retry_, probe_retry_;
    MonoTime next_read_{};
    bool ever_read_ = false;
    Revision watch_from_ = 0;    // of the next watch; 0: a read must come first
    Revision watch_seen_ = 0;    // by the present watch
    Revision read_changed_ = 0;  // the newest change that the read before showed
    std::optional<Order> order_;
    FleetOrder told_order_ = FleetOrder::none;
    MonoTime told_order_until_{};
    std::string told_problem_;
    bool leaving_ = false;
    std::function<void()> left_;
    int leaving_for_ = 0;
    // Owners: this, and the callbacks of savings under way, which may come after its end.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    StoreHandle read_, watch_, txn_, node_request_, probe_request_, node_revoke_, probe_revoke_;
    std::unique_ptr<Timer> beat_, soon_;
};

}  // namespace holdfast
