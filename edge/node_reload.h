// What both a start and a reload make from a configuration, so that a reloaded node is the one that would have been
// started. Private to node*.cpp.
#pragma once
#include "edge/config.h"
#include "edge/metrics.h"
#include "edge/server.h"

namespace holdfast {

MetricLabels labels_of(const Config& config);
// `descriptors_max`: of the process, which limits.connections must leave some of; 0: not known.
ServerOptions server_options(const Config& config, std::uint64_t descriptors_max);

}  // namespace holdfast
