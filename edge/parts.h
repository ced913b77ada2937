// What an exchange works with: the node's rooms, borrowed.
// The Node owns them all and outlives every exchange; nothing here is made or ended by an exchange.
#pragma once

#include <memory>
#include <string>

#include "cache/notify_ledger.h"
#include "cache/storage.h"
#include "cache/unplaced_ledger.h"
#include "edge/access_log.h"
#include "edge/base/log.h"
#include "edge/distrust.h"
#include "edge/entered_notices.h"
#include "edge/metrics.h"
#include "edge/net/loop.h"
#include "edge/outages.h"
#include "edge/pulse.h"
#include "edge/recent.h"
#include "edge/refusal_times.h"
#include "edge/snapshot.h"
#include "policy/budget.h"
#include "policy/degrade_mode.h"
#include "policy/nonce_window.h"
#include "policy/rate_state.h"
#include "policy/signature.h"
#include "policy/siphash.h"
#include "upstream/upstream.h"

namespace holdfast {

class Exchanges;
class RejectLog;
class SpanExport;

struct Parts {
    Loop& loop;
    Rng& rng;
    Storage& storage;
    Upstream& upstream;
    Metrics& metrics;
    AccessLog& access;
    Recent& recent;
    NonceWindow& nonces;
    RateState& rates;
    Overrides& overrides;
    Outages& outages;
    Budget& budget;
    Distrust& distrust;
    RefusalTimes& refusals;
    NotifyLedger& notify;
    UnplacedLedger& unplaced;
    json::Document& document;  // scratch of the loop thread
    SipKey caller_key{};       // of the circuit's hashes of subjects and credentials
    std::uint64_t boot = 0;
    std::shared_ptr<Snapshot> snapshot;  // owners: the node, and exchanges in flight
    Seconds auth_window;
    bool clock_trusted = true;           // false: no cached pass
    bool draining = false;               // not ready any more; requests are still served
    bool refusing = false;               // and now they are not: 503 Draining
    std::uint64_t degraded_answers = 0;  // given since start
    std::uint64_t refused = 0;           // verifications answered by an error, since start
    std::uint64_t refused_by_head = 0;   // of these, those of which no exchange began
    std::uint64_t words_aside = 0;       // of the centre, written down beside the order's own exchange, since start
    std::size_t in_flight_max = 20'000;
    SpanExport* spans = nullptr;  // the node's; nullptr: no tracing
    const Exchanges* exchanges = nullptr;  // the node's; nullptr: nothing is under way
    RejectLog* rejects = nullptr;  // the node's, never nullptr in it
    Pulse pulse{};  // of what was answered, for people who look
    log::LogLimit unplaced_lines{};  // of the log, about notifications that no order here could be given
    EnteredNotices entered{};
    log::LogLimit room_lines{};      // of the log, about rules that have no room for another key
    std::optional<Seconds> last_skew{};  // of the last timestamp that was refused: how far ahead of the clock here
    // What timestamps may be, by the clock as it is now.
    AuthTerms auth_terms() const {
        const auto floor = storage.nonces().replay_floor();
        return {auth_window, floor ? unix_seconds(*floor) : 0};
    }
    // A verification that was refused; `skew`: for its timestamp.
    void note_refused(ApiCode code, std::optional<Seconds> skew) {
        pulse.refused(code, loop.now().mono);
        if (skew) last_skew = skew;
    }
    std::size_t sharing = 1;     // nodes that provisional budgets are shared among
    std::size_t share_rank = 0;  // how many of them come before this one for what is left over
};

// What a scene's provisional answers may take: the node's share of a budget that its fleet has in common.
inline BudgetLimits provisional_limits(const Parts& parts, const ScenePolicy& policy) {
    const std::uint32_t whole = policy.provisional.budget_per_minute;
    const auto nodes = static_cast<std::uint32_t>(parts.sharing);
    const std::uint32_t share = whole / nodes + (parts.share_rank < whole % nodes ? 1 : 0);
    return {share, policy.provisional.per_subject_per_hour};
}

// What provisional answers a scene has left. Of its outage, without which there are none: for how long it has lasted,
// in how long it is old enough for them, and in how long too old.
struct ProvisionalLeft {
    std::uint32_t budget = 0;  // of this minute
    std::optional<Nanos> outage;
    Nanos begins_in{0}, ends_in{0};
};
ProvisionalLeft provisional_left(Parts& parts, const SceneConfig& scene, Now now);

}  // namespace holdfast
