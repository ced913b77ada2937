// The composition root: makes every room of a node from its configuration, restores what a restart must not lose, runs
// the timers, and drains. What it stands on (loop, network, thread pool, clocks) is given, so that a simulation can run
// whole nodes.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "edge/client_service.h"
#include "edge/clock_watch.h"
#include "edge/events.h"
#include "edge/exchanges.h"
#include "edge/membership.h"
#include "edge/metrics_shaping.h"
#include "edge/parts.h"
#include "edge/reconciler.h"
#include "edge/reject_log.h"
#include "edge/server.h"
#include "edge/set_files.h"
#include "edge/span_export.h"

namespace holdfast {

class ConfigReloader;  // config_reloader.h

struct NodeSeams {
    Loop& loop;
    Network& network;  // listens and resolves
    Dialer& dialer;    // connects to the centre, with TLS where a target asks for it
    Offload& offload;
    Server::Wrap wrap;                           // TLS on accepted streams; empty: none
    std::uint64_t seed = 1;                      // of jitter and sampling
    std::uint64_t boot = 0;                      // boot_id()
    std::function<bool()> clock_synchronised{};  // empty: taken as synchronised
    // CLOCK_BOOTTIME at the moment of use, for what a lease is worth; empty: the loop's now().
    std::function<MonoTime()> boot_clock{};
    std::uint64_t descriptors_max = 0;  // of the process; 0: not known
    std::function<int()> cache_fault{};  // tests: as of StorageOptions
    // With coordination.kind = "etcd": the road to the store of the fleet. What it is given hears of troubles and, with
    // true, of their ends. `cluster`: the store's, known from before; 0: none is.
    using StoreSaid = std::function<void(bool good, const std::string& text)>;
    std::function<std::unique_ptr<Coordinator>(StoreSaid said, std::uint64_t cluster)> make_coordinator{};
};

class Node {
  public:
    static constexpr Nanos kTickEvery = 1s;
    static constexpr Nanos kAlarmEvery = 1min;  // the same alarm

    // Opens the storage, restores, begins to listen. An error is one sentence that names what is wrong.
    static Result<std::unique_ptr<Node>> start(Config config, NodeSeams seams);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    // Lame duck (unless skipped), no new requests, what is in flight finished or drain.timeout over, storage synced;
    // then `done`: Code::timeout when the disk did not take the rest within kSyncMax. Called again it hurries, and its
    // `done` is not used: nothing in flight is waited for, and the disk has kHurriedSyncMax.
    // A hand-over is taken back by it, and its `done` never comes. While one syncs, this one's `done` is not used
    // either: that one's comes, in the time that it has, and the node counts as draining.
    static constexpr Nanos kSyncMax = 5s, kHurriedSyncMax = 1s;
    static constexpr Nanos kLeaveMax = 2s;  // for the fleet's store to take the lease back, once the storage is synced
    void shut_down(bool skip_lame_duck, std::function<void(Result<void>)> done);
    // As shut_down(), but for a successor that has the listening sockets: ready to the last, connections kept alive are
    // told by Connection: close for at most kFarewellMax, everybody who is connected is answered, nobody new is
    // accepted at the end, and what is durable is the successor's. Requires: neither draining nor shut down.
    static constexpr Nanos kFarewellMax = 1s, kFirstAskMax = 1s, kHandOverLook = 5ms;
    void hand_over(std::function<void(Result<void>)> done);
    // Before the shut_down() of a node that stands up only to end, on the state that was let go of in a hand-over: who
    // has waited in the kernel has kFirstAskMax at least to be let in and to ask, and the fleet's store kLeaveMax to
    // know this node, whose lease can be given back then.
    void take_back();
    // The operator's drain: as above without an end, and reversible. `by`: who, for the journal.
    // `done`, which may be empty: whether the entry is in the journal; the drain stands either way. Ordered again it is
    // entered again, where somebody wants to know: then the journal has the first entry too, or neither.
    void drain(const std::string& by, Durable done = {});
    Result<void> undrain(const std::string& by, Durable done = {});  // Code::exists, without `done`: the node is ending
    bool draining() const { return draining_ || (finishing_ && !handing_over_); }
    bool ending() const { return finishing_; }
    bool drained() const { return parts_->refusing && exchanges_->size() == 0; }

    int port() const { return server_->port(); }
    Parts& parts() { return *parts_; }
    Server& server() { return *server_; }
    const Exchanges& exchanges() const { return *exchanges_; }
    Events& events() { return events_; }
    Reconciler& reconciler() { return *reconciler_; }
    Metrics& metrics() { return *metrics_; }
    const Config& config() const { return snapshot_->config; }
    Membership* membership() { return membership_.get(); }  // nullptr: the node stands alone
    Now started() const { return started_; }
    bool clock_synchronised() const { return synchronised_; }
    const ClockWatch& clock_watch() const { return clock_watch_; }
    Loop& loop() { return seams_.loop; }
    Offload& offload() { return seams_.offload; }
    std::size_t connections() const { return server_->size(); }
    // Over the last second.
    struct Rates {
        double requests = 0, refused = 0, degraded = 0;
    };
    const Rates& rates() const { return rates_seen_; }
    std::uint64_t requests() const;  // that have come since the start, with those that were refused by their head
    const std::map<Eviction, std::uint64_t>& evictions() const { return evictions_; }
    void reopen_logs();  // after a rotation
    // A reload: everything that `wanted` changes and that is hot takes effect, or nothing. What is in flight ends under
    // the snapshot that it began with; orders of operators, circuit, rates, budgets and nonces stay. Requires: its keys
    // that need a restart are those of config(), and `sets` holds the files of its prechecks.
    Result<void> adopt(Config wanted, SetFiles::Sets sets, bool fresh_connections);
    ConfigReloader* reloader = nullptr;  // set by whoever owns it; none: the configuration stays
    std::function<std::size_t()> admin_connections;  // set by whoever owns the admin listeners; empty: none
    // Set by the process; empty: it cannot start itself anew. The first begins, the second tells how it stands (JSON).
    std::function<Result<void>()> upgrade;
    std::function<std::string()> upgrade_view;
    std::function<void(json::Writer&)> write_registration;  // an object for the registry; empty: there is none

    // Brings the gauges up to date; before /metrics and status.
    void refresh_metrics();
    // After an order of an operator changed: outage, metrics, circuit.
    void orders_changed();
    // An entry of what stands already. `done`, which may be empty: whether it is on disk now, within kJournalWaitMax;
    // else it is retried.
    void journal(std::string_view kind, std::string_view fields_json, Durable done = {});

    // What a listener, the operators' too, has refused by its form: counted, in the log, and known to explain by the
    // request id of its answer.
    void note_reject(const Server::Rejected& rejected);

  private:
    explicit Node(NodeSeams seams);
    Result<void> make_rooms(Config config);
    Result<void> open_storage(const Config& config);
    void make_upstream(const Config& config);
    void restore();
    Result<void> join_fleet();
    void leave_fleet();
    void restore_nonces(Now now);
    void restore_orders(Now now);
    Result<void> listen();
    void observe_outages(Now now);
    void on_transition(const CircuitTransition& transition);
    void upstream_alarm(std::size_t endpoint, std::string_view what, const std::string& detail);
    void on_reject(const Server::Rejected& rejected);
    void on_storage_health(bool ok, const std::string& part, const std::string& reason);
    void on_journal_opened(const std::vector<std::string>& notes);
    void tell_damage(const std::string& note);
    void save_circuit();
    void tick();
    void keep_house(Now now);
    void expire_orders(Now now);
    void tell_ended(const Override& order, Now now);
    void check_clock();
    void watch_clock(Now now);
    void refresh_lease();
    void show_modes(Now now);
    void sweep_evidence();
    void measure_rates();
    void journal_drain(std::string_view action, const std::string& by, Durable done);
    void tell_cap(std::size_t connections) const;  // where it is below limits.connections
    void end_lame_duck(MonoTime joined_until);
    void stop_listening();
    void say_farewell();
    void give_last_answers();
    void hurry();
    void finish_shut_down();
    void synced_over(Result<void> synced);
    void shut_down_over(Result<void> synced);

    NodeSeams seams_;
    Now started_;
    Rng rng_;
    json::Document document_;
    Events events_;
    Recent recent_;
    std::unique_ptr<Metrics> metrics_;
    std::unique_ptr<ShapingMetrics> shaping_metrics_;
    std::shared_ptr<Snapshot> snapshot_;  // owners: this, parts, exchanges in flight, set files
    std::unique_ptr<Storage> storage_;
    std::unique_ptr<AccessLog> access_;
    std::unique_ptr<NonceWindow> nonces_;
    std::unique_ptr<RateState> rates_;
    Overrides overrides_;
    Outages outages_;
    std::unique_ptr<Budget> budget_;
    std::unique_ptr<Distrust> distrust_;
    std::unique_ptr<RefusalTimes> refusals_;
    std::unique_ptr<NotifyLedger> notify_;
    std::unique_ptr<UnplacedLedger> unplaced_;
    RejectLog reject_log_;
    std::unique_ptr<SpanExport> spans_;  // nullptr without tracing.endpoint
    std::unique_ptr<Upstream> upstream_;
    std::unique_ptr<Parts> parts_;
    std::unique_ptr<Reconciler> reconciler_;
    std::unique_ptr<Membership> membership_;
    std::unique_ptr<SetFiles> set_files_;
    std::unique_ptr<Exchanges> exchanges_;
    std::unique_ptr<ClientService> service_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<Timer> ticker_;
    std::unique_ptr<Timer> orders_timer_;  // at the next end of an order
    std::unique_ptr<Timer> drain_timer_;
    std::function<void(Result<void>)> shut_down_done_;
    std::map<Eviction, std::uint64_t> evictions_;
    Rates rates_seen_;
    std::uint64_t begun_before_ = 0, refused_before_ = 0, degraded_before_ = 0;
    struct Alarm {
        std::string text;
        MonoTime again{};
    };
    std::array<Alarm, kEndpointSlots> alarms_;  // the last one of each endpoint of the centre
    ClockWatch clock_watch_;
    bool whole_ = false;  // restored, and in its fleet
    bool synchronised_ = true;
    bool draining_ = false;
    bool finishing_ = false;
    bool handing_over_ = false;
    bool taken_back_ = false;    // from a hand-over, to end
    MonoTime hand_over_step_{};  // when the step of handing over that is under way began
    bool hurried_ = false;
    bool syncing_ = false;
    bool leaving_ = false;  // the fleet, and the store has not answered yet
    bool synced_ = false;   // and only that is waited for
};

}  // namespace holdfast
