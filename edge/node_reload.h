// What both a start and a reload make from a configuration, so that a reloaded node is the one that would have been
// started. Private to node*.cpp.
#pragma once
#include "edge/config.h"
#include "edge/metrics.h"
#include "edge/server.h"

namespace holdfast {

MetricLabels labels_of(const Config& config);
ServerOptions server_options(const LimitsConfig& limits);

}  // namespace holdfast
