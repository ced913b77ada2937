// One point of presence of the recovery study: callers that arrive, the guard of its arm, tries with retries inside a
// deadline. Everything that decides is production code.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/recovery/slow_centre.h"
#include "tests/bench/recovery/study.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_store.h"
#include "upstream/circuit.h"
#include "upstream/fleet.h"
#include "upstream/retry_budget.h"

namespace holdfast::recovery {

CircuitOptions options_of(Arm arm);

// What tells whether a try may leave: a Circuit, or for the throttle alone its two rooms without one.
class Guard {
  public:
    Guard(Arm arm, Now now);
    std::optional<Permit> admit(Caller caller, Now now, Rng& rng);
    void report(Permit& permit, Caller caller, const CallReport& report, Now now);
    Circuit& circuit() { return circuit_; }

  private:
    double share(MonoTime t);
    CircuitOptions options_;
    Circuit circuit_;
    bool alone_;  // the throttle alone
    OutcomeWindow window_;
    Throttle throttle_;
};

class Pop {
  public:
    static constexpr Nanos kTimeout = 1s, kDeadline = 3s, kRetryBase = 100ms;
    static constexpr int kTries = 3;

    Pop(sim::SimLoop& world, sim::SimStore& store, SlowCentre& centre, const Study& study, std::size_t number,
        std::vector<Outcome::Second>& seconds);
    ~Pop();
    Pop(const Pop&) = delete;
    Pop& operator=(const Pop&) = delete;

  private:
    struct Ask {
        Caller caller;
        MonoTime begun{};
        int tries = 0;
        Permit permit;
    };
    void arrive();
    void attempt(Ask* ask);
    void answered(Ask* ask, bool good, bool connected, Nanos took);
    void end(Ask* ask, bool live);
    void touched();
    Outcome::Second& second(MonoTime t);

    sim::SimLoop& world_;
    SlowCentre& centre_;
    const Study& study_;
    std::vector<Outcome::Second>& seconds_;
    MonoTime begun_;
    Rng arrivals_, rng_;
    sim::NodeView view_;
    sim::SimCoordinator road_;
    Guard guard_;
    RetryBudget budget_;
    FleetMemory disk_;
    std::unique_ptr<Fleet> fleet_;
    std::uint64_t seen_ = 0;  // revision of the circuit
    std::unique_ptr<Timer> arrival_;
    std::deque<Ask> asks_;    // all that ever were; addresses stay
    std::vector<Ask*> spare_;
};

}  // namespace holdfast::recovery
