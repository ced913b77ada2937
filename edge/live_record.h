// A definite answer of the centre, written down: into the memory of outcomes and as the order's final answer. The same
// for an answer in time and for a late one, whose exchange is gone.
#pragma once

#include <string>

#include "edge/parts.h"

namespace holdfast {

// What must be known of a call to record its answer; values only, so that it may outlive the exchange.
struct LiveRecord {
    std::string credential, subject, scene, device, order_no;
    Digest body{};
    std::uint64_t asked_epoch = 0;  // OutcomeStore::epoch() when the call began
};

struct Recorded {
    Answer answer;
    bool stored = false;  // the memory holds it now (or held the same)
};

Recorded record_live(Parts& parts, const Snapshot& snapshot, const LiveRecord& record, const CentreOutcome& outcome,
                     Now now);

}  // namespace holdfast
