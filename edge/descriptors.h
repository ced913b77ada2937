// Descriptors of the process: how many it may open, and how many of them are for clients. Where they run out, libuv
// drops whoever connects, operators and health checks too: so clients never get the last of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "edge/config.h"
#include "edge/server.h"

namespace holdfast {

// Of each admin listener; those above the cap still get their 503.
inline constexpr std::size_t kAdminConnectionsMax = 64, kAdminShedReserve = 8;
// Files, stores, listeners, probes, names that are looked up; client connections above the cap; operators.
inline constexpr std::uint64_t kDescriptorReserve =
    64 + ServerOptions().shed_reserve + 2 * (kAdminConnectionsMax + kAdminShedReserve);

// Raises the soft limit to the hard one. What then stands; 0: not known, or none.
std::uint64_t raise_descriptors_max();
std::uint64_t descriptors_max();

// What the configuration may need besides client connections.
std::uint64_t descriptors_beside_clients(const Config& config);
// limits.connections, or what `max` descriptors leave of it (0: not known). An eighth of them is the clients' whatever
// else is configured: a node seldom has all of its upstream connections, and one without clients serves nobody.
std::size_t connections_within(const Config& config, std::uint64_t max);

}  // namespace holdfast
