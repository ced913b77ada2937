// The series of single endpoints and of the mirror, brought up to date from the upstream's own counts before each
// scrape: nothing of it is on a request's path. Endpoints that a reload took away take their gauges with them.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <array>
#include <map>
#include <string>

#include "edge/metrics.h"
#include "upstream/upstream.h"

namespace holdfast {

class ShapingMetrics {
  public:
    // Requires: `metrics` outlives it. `upstream` is the label of all of them.
    ShapingMetrics(Metrics& metrics, std::string upstream);
    void refresh(const UpstreamStatus& status);

  private:
    template <typename T>
    using Family = prometheus::Family<T>;
    struct One {
        prometheus::Gauge *ejected, *weight, *share, *addresses, *stale;
        prometheus::Counter* ejections;
        bool seen = true;
    };
    One& endpoint(const std::string& url);
    void forget_the_unseen();

    std::string upstream_;
    Family<prometheus::Gauge>&ejected_, &weight_, &share_, &addresses_, &stale_;
    Family<prometheus::Counter>&ejections_, &mirrored_;
    std::map<std::string, One> endpoints_;
    std::array<prometheus::Counter*, kMirrorResults> results_{};
    prometheus::Gauge& mirroring_;
};

}  // namespace holdfast
