#include "edge/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

#include "upstream/late_calls.h"

namespace holdfast {

std::uint64_t descriptors_max() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
    return limit.rlim_cur;
}

std::uint64_t raise_descriptors_max() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);  // else the soft limit stands, and counts
    }
    return descriptors_max();
}

std::uint64_t descriptors_beside_clients(const Config& config) {
    const auto& upstream = config.upstream.options;
    const std::uint64_t copies = upstream.mirror.url.empty() ? 0 : upstream.mirror.connections;
    return upstream.endpoints.size() * upstream.pool.connections + LateCalls::kLateCallsMax + copies +
           kDescriptorReserve;
}

std::size_t connections_within(const Config& config, std::uint64_t max) {
    if (max == 0) return config.limits.connections;
    const std::uint64_t beside = descriptors_beside_clients(config);
    const std::uint64_t left = std::max({max > beside ? max - beside : 0, max / 8, std::uint64_t(1)});
    return std::min<std::uint64_t>(config.limits.connections, left);
}

}  // namespace holdfast
