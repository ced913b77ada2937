// What the admin socket shows of a node's fleet, as JSON: parts of other answers, and that of `peers`. Nothing of it is
// there in a node that stands alone, but what says so.
#pragma once

#include <string>

#include "edge/base/json.h"
#include "edge/node.h"

namespace holdfast {

void write_lease(json::Writer& w, Node& node);          // the value of "lease"
void write_fleet_circuit(json::Writer& w, Node& node);  // further members of a circuit
// One more entry of the overrides: open or closed for the fleet. Its degraded and live are among the node's orders.
void write_fleet_override(json::Writer& w, Node& node, Now now);
// `accepted`: what was known of the fleet before its store was accepted, in spite of an alarm.
std::string peers_json(Node& node, const FleetStatus* accepted = nullptr);
// Why this node is on its own, for the verdict: "autonomous: no lease"; empty when it is not, or stands alone.
std::string autonomy(Node& node);

}  // namespace holdfast
