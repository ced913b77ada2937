// The stand-in for the centre: listens on any Network (real or simulated), answers verifications as its plan says,
// remembers idempotency keys, and tells of each call. Set up for it, it is an Alipay gateway too. central-sim puts it
// on real sockets, SimCentral into the simulation. It is no model of a face verifier: outcomes derive from the
// subject's hash.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "edge/base/rng.h"
#include "tests/support/alipay_gateway.h"
#include "tests/support/centre_plan.h"
#include "tests/support/mini_server.h"
#include "tests/support/notifier.h"

namespace holdfast {

// One call as it arrived, and what it got.
struct CentreCall {
    std::string order_no;
    std::string subject;
    std::string scene;
    std::string idempotency_key;
    std::string request_id;
    std::string traceparent;
    int attempt = 0; // X-Attempt; 0: not given
    std::string node;              // X-Edge-Node
    std::uint64_t probe_epoch = 0; // X-Edge-Probe; 0: no probe of a fleet
    MonoTime at;
    CentreMode mode = CentreMode::healthy; // how it was answered
    bool poisoned = false;                 // and therefore a 500
    bool over_capacity = false;            // and therefore a 503
    bool replay = false;                   // its key had an outcome already
    std::optional<Verdict> verdict;        // of a good answer
    std::string verification_id;
};

struct CentreStats {
    std::uint64_t requests = 0; // verifications; neither probes nor control
    std::uint64_t probes = 0;
    std::uint64_t fleet_probes = 0;  // verifications with X-Edge-Probe
    std::uint64_t probe_epoch = 0;   // the newest one
    std::uint64_t replays = 0;
    std::uint64_t poisoned = 0;
    std::uint64_t over_capacity = 0;
    std::uint64_t malformed = 0;
    std::array<std::uint64_t, kCentreModes> by_mode{};
    std::array<std::uint64_t, 4> by_verdict{}; // index: Verdict
};

class Centre {
  public:
    static constexpr std::size_t kKeysMax = 2'000'000; // idempotency keys remembered; the oldest leaves
    static constexpr std::size_t kHeldMax = 20'000;    // connections swallowed by a black hole
    using Wrap = std::function<std::unique_ptr<Stream>(std::unique_ptr<Stream>)>;

    // Requires: `loop` and `network` outlive it.
    Centre(Loop& loop, Network& network, std::uint64_t seed);
    ~Centre();
    Centre(const Centre&) = delete;
    Centre& operator=(const Centre&) = delete;

    // Listens; `wrap` puts TLS on each accepted stream (empty: plain). The port is then the same through every refusal.
    Result<int> listen(const std::string& address, Wrap wrap = {});
    // From now on also an Alipay gateway (gateway.do, /v3/...), which notifies through `dialer`. Requires: it outlives
    // this.
    void serve_alipay(std::unique_ptr<AlipayGateway> gateway, Dialer& dialer);
    // POST /_notify {"kind":"central",…} sends notifications signed with `secret`. Requires: `dialer` outlives this.
    void notify_through(Dialer& dialer, std::string secret);
    void apply(const CentrePlan& plan);
    // After its machine lost every connection and port: closes what is left of them and listens again.
    void reopen();
    const CentrePlan& plan() const { return plan_; }
    const CentreStats& stats() const { return stats_; }
    void on_call(std::function<void(const CentreCall&)> told) { told_ = std::move(told); }
    std::size_t connections() const { return server_.open() + held_.size(); }

    // What it answers to a request: also GET and POST /_control and /_notify, and GET /_stats.
    MiniReply handle(const MiniRequest& request);

  private:
    struct Decided {
        Verdict verdict;
        std::string verification_id;
    };
    void accept(std::unique_ptr<Stream> stream);
    Result<void> open_port();
    MiniReply control(const MiniRequest& request);
    MiniReply stats_reply() const;
    MiniReply probe();
    MiniReply verify(const MiniRequest& request);
    MiniReply alipay(const MiniRequest& request);
    MiniReply notify(const MiniRequest& request);
    Result<void> notify_central(json::Value json);
    void write_alipay_stats(json::Writer& w) const;
    bool within_capacity();
    CentreMode mode_for_this();
    const Decided& decide(CentreCall& call);
    std::string good_body(const CentreCall& call) const;
    Nanos latency();

    Loop& loop_;
    Network& network_;
    Rng rng_;
    CentrePlan plan_;
    CentreStats stats_;
    MiniServer server_;
    std::unique_ptr<Listener> listener_;
    std::string address_;
    Wrap wrap_;
    std::vector<std::unique_ptr<Stream>> held_;
    std::unordered_map<std::string, Decided> decided_; // by idempotency key
    std::deque<std::string> keys_;                     // the same keys, oldest first
    Decided unkeyed_{};
    double tokens_ = 0;
    MonoTime tokens_at_{};
    json::Document document_;
    std::function<void(const CentreCall&)> told_;
    std::uint64_t next_id_ = 0;
    std::unique_ptr<AlipayGateway> alipay_; // empty: not set up for it
    std::unique_ptr<Notifier> notifier_;
    std::string notify_secret_;
};

// The bytes and manner of an answer of this mode around a good one. Requires: the mode answers at all.
MiniReply compose(CentreMode mode, const std::string& good_body, Seconds retry_after);

} // namespace holdfast
