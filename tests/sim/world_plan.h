// What one seed means: which kinds of trouble its world has and how much of each, how its clients behave, and how its
// node is configured. Drawn once from the seed; printed in full, so that a failure names everything that led to it.
#pragma once

#include <cstdint>
#include <string>

#include "edge/base/rng.h"
#include "edge/base/time.h"
#include "tests/sim/sim_net.h"

namespace holdfast::sim {

// Bugs planted on purpose, to prove that a checker can fail: in the world around the node, or in what the checkers see.
enum class Mutant : std::uint8_t {
    none,
    centre_flips,       // the log of the centre says `fail` where it answered `pass`
    forgets_revoke,     // the operator's revocation is told to the checkers and not to the node
    forgets_degrade,    // likewise an order `degraded`
    answers_twice,      // a client's connection gets a second answer
    erases_state,       // state/ and cache/ vanish at a crash: nonces, budgets, orders are gone
    edits_journal,      // a byte of the journal changes
    hides_provisional,  // the checkers do not see provisional entries of the journal
    keeps_circuit_open  // the centre is never healed
};
inline constexpr std::size_t kMutants = 9;
std::string_view name(Mutant mutant);

struct WorldPlan {
    std::uint64_t seed = 0;
    bool calm = false;  // no trouble at all but poisoned requests: everything else must be answered live
    Nanos phase1 = 60s;

    // Clients.
    double arrivals = 20;  // a second
    std::uint32_t subjects = 30;
    double abort = 0, repeat = 0, conflict = 0, replay = 0, forged = 0, lookup = 0, poison = 0, live_only = 0;
    bool features = false;

    // Trouble: how often a minute each begins.
    double centre_faults = 0, centre_restarts = 0, centre_partitions = 0;
    double crashes = 0, stalls = 0;
    double degrades = 0, lives = 0, circuits = 0, revokes = 0;
    double wall_jumps = 0, client_partitions = 0, disk_slow = 0;
    LinkPlan centre_link;  // of each direction between node and centre
    LinkPlan client_link;
    double drift_ppm = 0;
    Nanos wall_jump_max{0};

    // The node.
    Nanos auth_window = 300s;
    Nanos disk_work_max{0};  // of one job off the loop, while the disk is not slow

    static WorldPlan of(std::uint64_t seed);
    std::string describe() const;
};

// The numbers of the node's configuration that checkers need; config_text() writes the same.
struct NodeNumbers {
    static constexpr Nanos kDeadline = 1500ms;
    static constexpr Nanos kTimeoutMax = 600ms;
    static constexpr Nanos kLoginMaxAge = 12s, kPaymentMaxAge = 8s, kFailMaxAge = 5s;
    static constexpr Nanos kFeatureMaxAge = 60s;
    static constexpr Nanos kAfter = 4s, kHardStop = 15s;
    static constexpr std::uint32_t kBudgetPerMinute = 6, kPerSubjectPerHour = 1;
    static constexpr std::uint32_t kMinimumCalls = 10, kMinSubjects = 3;
    static constexpr double kFailureRate = 50, kSlowRate = 80;
    static constexpr Nanos kOpenWait = 1s;
};
// `folder` holds the secrets and is where the data goes.
std::string config_text(const WorldPlan& plan, const std::string& folder);

inline constexpr const char* kNodeAddress = "127.0.2.1";
inline constexpr const char* kCentreAddress = "127.0.1.1";
inline constexpr const char* kClientAddress = "127.0.3.1";
inline constexpr int kNodePort = 8443;
inline constexpr int kCentrePort = 9000;

}  // namespace holdfast::sim
