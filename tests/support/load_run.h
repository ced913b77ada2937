// One bounded run of load over keep-alive connections: at a constant rate whatever the answers take (open loop; latency
// counts from when a request was due), or as fast as the connections allow (closed loop). It ends by itself.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/json.h"
#include "edge/net/http_client.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"
#include "tests/support/load_request.h"
#include "tests/support/load_stats.h"

namespace holdfast {

struct LoadTerms {
    static constexpr std::size_t kConnectionsMax = 20'000;
    static constexpr double kRateMax = 200'000;
    static constexpr Nanos kDurationMax = 1h;

    std::size_t connections = 16;
    double rate = 0;  // requests a second; 0: closed loop
    Nanos duration = 10s;
    std::uint64_t requests_max = 0;  // 0: no limit but the duration
    Nanos timeout = 10s;             // of one request, from when it was due
    Nanos report_every{0};           // 0: only the summary
    bool histograms = false;         // in each report
    bool grow = false;               // connections are opened as requests need them, not all at once
};

class LoadRun {
  public:
    static constexpr std::size_t kBacklogMax = 100'000;  // due and not yet sent
    using Report = std::function<void(const std::string& json)>;

    // Calls `done` once, when everything sent is answered or given up. Requires: all but shape and terms outlive it.
    LoadRun(Loop& loop, Dialer& dialer, Target target, LoadShape shape, LoadTerms terms, Report report,
            std::function<void()> done);
    ~LoadRun();
    LoadRun(const LoadRun&) = delete;
    LoadRun& operator=(const LoadRun&) = delete;

    void start();
    const LoadStats& stats() const { return stats_; }
    std::string summary() const { return stats_.summary(loop_.now().mono - started_); }

  private:
    class Slot;  // one connection
    void tick();
    void keep_connections();
    void arrivals();
    bool give(Slot& slot);  // false: nothing is left to send now
    void give_out();
    void expire();
    void report(bool last);
    bool may_send_more() const;
    void account(const LoadAnswer& answer, MonoTime due);
    std::size_t in_flight() const;

    Loop& loop_;
    Dialer& dialer_;
    Target target_;
    LoadRequests requests_;
    LoadTerms terms_;
    Report report_;
    std::function<void()> done_;
    LoadStats stats_;
    ResponseLimits limits_;
    json::Document document_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::deque<MonoTime> due_;  // of arrivals that wait for a connection
    std::unique_ptr<Timer> timer_;
    MonoTime started_{};
    MonoTime reported_{};
    std::uint64_t arrived_ = 0;
    bool over_ = false;
};

}  // namespace holdfast
