// The centre as the edge sees it: start a call, ask the circuit, show operators how it stands. Owns endpoints, pools,
// circuit, estimator, budget and the timers of all of them. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "edge/base/json.h"
#include "edge/base/rng.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"
#include "upstream/alipay_wire.h"
#include "upstream/call.h"
#include "upstream/canary.h"
#include "upstream/central_request.h"
#include "upstream/circuit.h"
#include "upstream/ejection.h"
#include "upstream/health.h"
#include "upstream/late_calls.h"
#include "upstream/mirror.h"
#include "upstream/pool.h"
#include "upstream/recent_times.h"
#include "upstream/retry_budget.h"
#include "upstream/timeout_estimator.h"

namespace holdfast {

inline constexpr std::size_t kEndpointsMax = 32;
inline constexpr std::size_t kEndpointSlots = 64; // those of calls begun before a reload are among them
inline constexpr double kWeightMax = 1e6;

struct UpstreamOptions {
    std::string node;                // X-Edge-Node
    std::string region;              // X-Edge-Region
    std::vector<Endpoint> endpoints; // 1 to kEndpointsMax
    TimeoutOptions timeout;
    std::uint32_t retries = kRetriesMax; // [upstream.retry] attempts; at most kRetriesMax
    Nanos retry_base = 100ms;
    double retry_budget = 0.1;
    std::uint32_t retry_floor = 3; // a second
    CircuitOptions circuit;
    PoolOptions pool;
    ResolverOptions resolver;
    HealthOptions health;
    EjectionOptions ejection;
    MirrorOptions mirror;
    Nanos late_limit = 0s; // 0: timeout.max + 10 s
    // kind = "alipay": how to speak with it, and where RSA is done. Nothing: the centre of SPEC's own protocol.
    std::shared_ptr<const AlipaySettings> alipay; // owners: the configuration, the wire, jobs of the thread pool
    Offload* offload = nullptr;                   // there when `alipay` is
    // CLOCK_BOOTTIME, read right before the bytes of a probe for the fleet leave; empty: the loop's now().
    std::function<MonoTime()> boot_clock;
};

// All may be empty. None of them may destroy the Upstream or start a call in it.
struct UpstreamObservers {
    // A try has ended; FailureKind::none is a success.
    std::function<void(std::size_t endpoint, FailureKind result, Nanos duration)> on_try;
    std::function<void()> on_retry; // a retry begins
    std::function<void(const CircuitTransition&)> on_transition;
    std::function<void()> on_circuit_changed; // Circuit::revision() rose: save a snapshot
    std::function<void(std::size_t endpoint, bool ejected)> on_ejection;
    // The centre refuses our set-up or our certificate, or signs what we do not believe: somebody must look.
    std::function<void(std::size_t endpoint, FailureKind what, const std::string& detail)> on_alarm;
};

// What an operator changed while the node runs; it lasts until a restart.
struct LiveChange {
    std::string by, reason;
    WallTime at;
};

struct EndpointStatus {
    std::string url;
    double weight = 1, configured_weight = 1;
    double share = 0; // of the subjects that it gets now, 0 to 1
    bool ejected = false;
    Out out = Out::no; // why it is ejected
    Out failing = Out::no;   // why it would be, if that did not leave fewer than half
    bool slow_start = false; // back, and not yet with its whole share
    std::optional<Nanos> back_in;
    std::optional<bool> probed; // by the active probe; nothing: not yet, or there is none
    std::optional<LiveChange> weight_change, ejection;
    std::uint64_t ejections = 0; // since the start
    std::uint32_t busy = 0;
    std::size_t queued = 0, idle = 0;
    std::size_t addresses = 0;
    bool addresses_stale = false;
    std::string dns_problem;
    std::string certificate_problem;  // ours was refused or missed, nothing was answered since; empty: no such thing
};

struct MirrorStatus {
    std::string url;
    double share = 0;
    std::size_t under_way = 0;
    std::uint64_t bytes = 0;
};

struct UpstreamStatus {
    std::vector<EndpointStatus> endpoints;
    std::optional<MirrorStatus> mirror;
    std::array<std::uint64_t, kMirrorResults> mirrored{}; // since the start, by MirrorResult
    Nanos try_timeout{0};
    std::optional<Nanos> p99;
    std::size_t calls = 0; // under way
    std::size_t late = 0;
    std::uint64_t late_recorded = 0, late_dropped = 0;
    double retries_left = 0;
};

class Upstream {
  public:
    // `dialer` connects (TLS where a target asks for it), `network` resolves names. Requires: all references outlive
    // it, and it outlives every Call.
    Upstream(Loop& loop, Dialer& dialer, Network& network, Rng& rng, UpstreamOptions options,
             UpstreamObservers observers = {});
    ~Upstream();
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;

    bool mirrors() const { return mirror_ != nullptr; }  // whether calls are copied to a shadow
    // `done` is called once, never inside start(); the Call may be destroyed in it. Requires: spec.permit is valid.
    [[nodiscard]] std::unique_ptr<Call> start(CallSpec spec, Call::Done done);

    Circuit& circuit() { return circuit_; }
    AlipayWire* wire() { return wire_.get(); } // nothing but for kind = "alipay"
    // After the circuit was changed from outside (force, restore): sets its timer and tells the observers.
    void circuit_touched();
    Rng& rng() { return rng_; }
    UpstreamStatus status();
    std::size_t queued() const;  // calls that wait for a connection
    // Numbers of endpoints, as observers and attempts have them, stay those of their URLs over a reload.
    std::size_t endpoint_count() const { return endpoints_.size(); }
    // The text stays, also when a reload has replaced the endpoint.
    const std::string& endpoint_url(std::size_t i) const { return *endpoints_[i].url; }
    // The operator's word, until a restart. Code::not_found for an unknown URL, Code::denied when too few endpoints
    // would be left. restore() undoes all of it for one endpoint: it serves again, with its configured weight.
    Result<void> set_weight(std::string_view url, double weight, LiveChange change = {});
    Result<void> eject(std::string_view url, Nanos how_long, LiveChange change = {});
    Result<void> restore(std::string_view url);

    // A reload. Calls under way end where they are; circuit, measured latency, budget and ejections stay, and so does
    // an operator's weight where the configured one did not change. Code::full, and nothing changed, when too many
    // endpoints were replaced within kSlotRest. `fresh_connections`: idle ones are not used again (other certificates).
    static constexpr Nanos kSlotRest = 3min; // longer than a call, and its late answer, can last
    Result<void> reconfigure(UpstreamOptions options, bool fresh_connections);

  private:
    friend class Call;
    // The middle of the latest good answers: of so many that a few odd ones do not move it, and not of fewer than those
    // among which it begins to mean something.
    static constexpr std::size_t kAnswers = 64, kAnswersMin = 16;
    struct One {
        std::unique_ptr<Pool> pool;
        std::unique_ptr<HealthProbe> health;
        CentralHead head;
        const std::string* url = nullptr;
        TimeoutEstimator latency;       // its own
        double weight = 1;              // the configured one, or the operator's
        std::optional<LiveChange> weight_change{}, ejection{};
        std::uint64_t ejections = 0;
        std::string certificate_problem{};
        std::optional<MonoTime> left{}; // since when no configuration names it: no new call goes there
    };
    std::size_t choose_endpoint(std::uint64_t subject, std::uint64_t tried, MonoTime now);
    Result<std::size_t> find(std::string_view url) const;
    struct Took {
        Nanos all;
        std::optional<Nanos> answer;  // from when its request left; nothing: it did not
    };
    void tried(std::size_t endpoint, const AttemptResult& result, Caller caller, const Took& took, Now now);
    void each_second();
    // What a try must have had for its end to be a failure of the centre: the measured p99, at most timeout.min, or a
    // centre that became slow would never fail.
    Nanos time_needed(MonoTime now);
    // The same for one to be begun after another: also what good answers have taken lately, in the middle.
    Nanos time_needed_to_retry(MonoTime now);
    // The same of one that has waited for its place, where others wait behind it: one that will not fit is not begun,
    // or all that come out of a long queue would be cut off, and counted. At most half of timeout.max, or nothing would
    // be tried of a centre that hangs, and the circuit would never learn it; the same goes for half of what the call
    // had.
    Nanos time_needed_behind_queue(Nanos allowed, MonoTime now);
    // The limit of one try: by the endpoint's own latency. One that is not known yet has the time to show it, and
    // leaves as much for another.
    Nanos try_timeout(std::size_t endpoint, MonoTime now);
    // The same until it is connected, of one that has to connect first: what that has taken lately, by timeout.factor,
    // is on top of it, up to timeout.max, or where another endpoint serves up to half of that, which leaves as much for
    // that one. While it is not known, nothing shorter than half of timeout.max ends it.
    Nanos fresh_timeout(std::size_t endpoint, MonoTime now);
    bool serves_beside(std::size_t endpoint, MonoTime now);  // whether another endpoint does
    void probed(std::size_t endpoint, bool healthy);
    void ejection_changed(std::size_t endpoint, bool ejected);
    One make_endpoint(const Endpoint& endpoint);
    void make_probe(std::size_t at);
    std::optional<std::vector<std::size_t>> slots_for(const std::vector<Endpoint>& endpoints) const;
    void count_present();
    void keep_half();
    double configured_weight(std::size_t at) const;
    double share_of(std::size_t at, MonoTime now) const; // of all weights, 0 while it does not serve
    void make_mirror();
    void mirror(const CallSpec& spec);

    Loop& loop_;
    Dialer& dialer_;
    Network& network_;
    Rng& rng_;
    UpstreamOptions options_;
    UpstreamObservers observers_;
    json::Document doc_; // scratch of the codec
    std::string head_;   // scratch of request heads
    Circuit circuit_;
    std::unique_ptr<AlipayWire> wire_; // outlives late tries and the calls' tickets
    TimeoutEstimator estimator_;       // of all endpoints
    RecentTimes<kAnswers> answers_;    // the latest definite ones, of all endpoints
    std::set<std::string> urls_;       // of all that were ever configured: traces have views of them
    RetryBudget budget_;
    Ejection ejection_;
    std::vector<One> endpoints_;
    std::vector<WeightedEndpoint> weights_;
    std::optional<std::size_t> only_; // the one that is there, when there is one
    std::size_t first_ = 0;           // one that is there
    std::unique_ptr<Mirror> mirror_; // empty: off
    std::array<std::uint64_t, kMirrorResults> mirrored_before_{}; // by those that a reload has replaced
    LateCalls late_;
    std::size_t calls_ = 0;
    std::uint64_t told_revision_ = 0;
    std::optional<MonoTime> circuit_due_; // what circuit_timer_ is set to
    std::unique_ptr<Timer> circuit_timer_;
    std::unique_ptr<Timer> second_;
};

} // namespace holdfast
