// The centre inside the simulation: the same stand-in that central-sim runs, on a simulated machine of its own, with
// every call kept for the checkers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/sim_net.h"
#include "tests/support/centre.h"

namespace holdfast::sim {

class SimCentral {
  public:
    static constexpr std::size_t kCallsMax = 5'000'000; // kept for the checkers; HF_CHECKed

    // `address` is "IP:port"; its machine joins `net` under that IP and leaves when this is destroyed.
    SimCentral(SimNet& net, const std::string& address, std::uint64_t seed);

    Centre& centre() { return *centre_; }
    void apply(const CentrePlan& plan) { centre_->apply(plan); }
    void set_mode(CentreMode mode, double share = 1.0);
    CentrePlan plan() const { return centre_->plan(); }
    const std::vector<CentreCall>& calls() const { return calls_; }
    // Told of each call as it arrives, after it has been kept.
    void on_call(std::function<void(const CentreCall&)> told) { told_ = std::move(told); }
    std::size_t calls_with_key(const std::string& idempotency_key) const;
    NodeView& view() { return view_; }

    // Its process ends (connections are reset, the port closes) and begins again with what it had decided.
    void stop();
    void start();

  private:
    std::string address_;
    NodeView view_;
    SimHost host_;
    std::unique_ptr<Centre> centre_;
    std::vector<CentreCall> calls_;
    std::function<void(const CentreCall&)> told_;
};

} // namespace holdfast::sim
