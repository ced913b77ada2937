// The keys of [upstream.health], [upstream.ejection] and [upstream.mirror]: which endpoint gets which calls.
#include "edge/option_put.h"

namespace holdfast {
namespace {

using namespace put;
using K = OptionKind;
using U = UpstreamConfig;
using O = UpstreamOptions;
constexpr auto kHot = Reload::hot;
constexpr auto kUp = &Config::upstream;
constexpr auto kOptions = &U::options;

// clang-format off
const Option kRows[] = {
    {"upstream.health.path", K::text, "", {0, 1024}, kHot, "probed with GET, 2xx is healthy; empty: no active probe",
     in_config<kUp, kOptions, &O::health, &HealthOptions::path>},
    {"upstream.health.interval", K::duration, "5s", {100 * kMs, 1 * kHour}, kHot, "between two probes of an endpoint",
     in_config<kUp, kOptions, &O::health, &HealthOptions::interval>},
    {"upstream.health.timeout", K::duration, "2s", {10 * kMs, 1 * kMin}, kHot, "of a probe",
     in_config<kUp, kOptions, &O::health, &HealthOptions::timeout>},
    {"upstream.health.failures", K::integer, "2", {1, 100}, kHot, "bad probes in a row that take an endpoint out",
     in_config<kUp, kOptions, &O::ejection, &EjectionOptions::probe_failures>},
    {"upstream.health.successes", K::integer, "2", {1, 100}, kHot, "good probes in a row that bring it back",
     in_config<kUp, kOptions, &O::ejection, &EjectionOptions::probe_successes>},

    {"upstream.ejection.failures", K::integer, "5", {1, 10000}, kHot,
     "failed tries in a row that eject an endpoint, never below half of them", in_config<kUp, kOptions, &O::ejection,
     &EjectionOptions::failures>},
    {"upstream.ejection.min_subjects", K::integer, "5", {1, 16}, kHot, "distinct subjects among those tries",
     in_config<kUp, kOptions, &O::ejection, &EjectionOptions::min_subjects>},
    {"upstream.ejection.base", K::duration, "10s", {10 * kMs, 1 * kHour}, kHot, "first ejection; doubles",
     in_config<kUp, kOptions, &O::ejection, &EjectionOptions::base>},
    {"upstream.ejection.max", K::duration, "5m", {10 * kMs, 1 * kDay}, kHot, "where the doubling ends",
     in_config<kUp, kOptions, &O::ejection, &EjectionOptions::max>},
    {"upstream.ejection.slow_start", K::duration, "30s", {0, 1 * kHour}, kHot,
     "back again, its share grows from a tenth to the whole; 0s: whole at once", in_config<kUp, kOptions, &O::ejection,
     &EjectionOptions::slow_start>},

    {"upstream.mirror.url", K::text, "", {0, 2048}, kHot,
     "a shadow endpoint: gets copies marked X-Edge-Mirror, its answers are thrown away; empty: none; with kind = "
     "\"alipay\" they are signed in our name, so it must be one that we trust",
     in_config<kUp, kOptions, &O::mirror, &MirrorOptions::url>},
    {"upstream.mirror.share", K::number, "0.01", {0, 1}, kHot, "of the calls that are copied",
     in_config<kUp, kOptions, &O::mirror, &MirrorOptions::share>},
    {"upstream.mirror.connections", K::integer, "16", {1, 1024}, kHot, "copies under way; one more is dropped",
     in_config<kUp, kOptions, &O::mirror, &MirrorOptions::connections>},
    {"upstream.mirror.bytes", K::size, "16MiB", {1 * kKiB, 1 * kGiB}, kHot,
     "of their bodies; what does not fit is dropped",
     in_config<kUp, kOptions, &O::mirror, &MirrorOptions::bytes>},
    {"upstream.mirror.timeout", K::duration, "3s", {10 * kMs, 1 * kMin}, kHot, "of a copy",
     in_config<kUp, kOptions, &O::mirror, &MirrorOptions::timeout>},
};
// clang-format on

} // namespace

std::span<const Option> shaping_options() {
    return kRows;
}

} // namespace holdfast
