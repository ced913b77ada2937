// Whether what a node has read of its fleet can be believed, and what an operator's word changes about that.
#include <utility>

#include "upstream/fleet_circuit.h"

namespace holdfast {

// Whether what was just read can be believed at all.
void FleetCircuit::judge(Now now) {
    std::string alarm;
    const auto& state = view_.state();
    const bool foreign = memory_.cluster != 0 && cluster_ != 0 && cluster_ != memory_.cluster;
    if (foreign)
        alarm =
            "another cluster answers: " + std::to_string(cluster_) + ", known is " + std::to_string(memory_.cluster);
    else if (const auto problem = view_.problem())
        alarm = *problem;
    else if (!state && memory_.epoch > 0)
        alarm = "the store holds no state, this node knows epoch " + std::to_string(memory_.epoch);
    else if (state && state->value.epoch < memory_.epoch)
        alarm = "the store is older than this node: epoch " + std::to_string(state->value.epoch) + " below " +
                std::to_string(memory_.epoch);
    else if (state && state->value.epoch == memory_.epoch &&
             (state->value.state != memory_.state || (applied_ && !(state->value == *applied_))))
        alarm = "the store holds another state for epoch " + std::to_string(memory_.epoch);
    // A store that was older, and that others have since written on from there, gives the same epochs another meaning.
    const bool known = state && state->value.epoch == memory_.epoch;
    if (alarm.empty())
        older_ = older_ && !known;
    else if (!foreign && !view_.problem())
        older_ = true;
    if (alarm.empty() && older_) alarm = "the store was older than this node, and has been written since";
    loaded_ok_ = alarm.empty();
    if (alarm == alarm_) return;
    alarm_ = std::move(alarm);
    if (!alarm_.empty())
        say(FleetEvent::Kind::alarm, alarm_);
    else
        say(FleetEvent::Kind::notice, "the store can be believed again");
    note_mode(now);
}

void FleetCircuit::accept_store(Now now) {
    memory_ = {};
    applied_.reset();
    pending_.reset();
    behind_since_.reset();
    cluster_ = 0;
    older_ = false;
    ending_.reset();
    order_mod_.reset();  // what this node remembers is compared with what is read next
    say(FleetEvent::Kind::notice, "an operator accepts what the store holds");
    must_read_ = true;
    read_after_ = now.mono;
}

}  // namespace holdfast
