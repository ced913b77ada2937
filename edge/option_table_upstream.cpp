// The keys of [upstream]: the centre, how it is called, and its circuit.
#include "edge/option_put.h"

namespace holdfast {
namespace {

using namespace put;
using K = OptionKind;
using U = UpstreamConfig;
using O = UpstreamOptions;
using C = CircuitOptions;
constexpr auto kHot = Reload::hot;
constexpr auto kRestart = Reload::restart;
constexpr auto kUp = &Config::upstream;
constexpr auto kOptions = &U::options;

void set_window_type(Draft& d, const OptionValue& v) {
    d.config.upstream.options.circuit.window_type = static_cast<WindowType>(choice("count|time", v.text));
}

// clang-format off
const Option kRows[] = {
    {"upstream.kind", K::choice, "central", {}, kRestart, "what is called", in_config<kUp, &U::kind>, "central|alipay"},
    {"upstream.deadline", K::duration, "3s", {100 * kMs, 1 * kMin}, kHot, "for a whole request, retries included",
     in_config<kUp, &U::deadline>},
    {"upstream.timeout_min", K::duration, "200ms", {1 * kMs, 1 * kMin}, kHot, "least limit of one try",
     in_config<kUp, kOptions, &O::timeout, &TimeoutOptions::min>},
    {"upstream.timeout_max", K::duration, "3s", {1 * kMs, 1 * kMin}, kHot, "greatest limit of one try",
     in_config<kUp, kOptions, &O::timeout, &TimeoutOptions::max>},
    {"upstream.timeout_factor", K::number, "2", {1, 100}, kHot, "one try's limit is the measured p99 times this",
     in_config<kUp, kOptions, &O::timeout, &TimeoutOptions::factor>},
    {"upstream.ca_file", K::input_file, "", {0, 3000}, kHot, "PEM; empty: the system's CAs",
     in_config<kUp, &U::ca_file>},
    {"upstream.certificate", K::input_file, "", {0, 3000}, kHot, "PEM, for mutual TLS; empty: none",
     in_config<kUp, &U::certificate>},
    {"upstream.key", K::input_file, "", {0, 3000}, kHot, "PEM, of that certificate", in_config<kUp, &U::key>},
    {"upstream.notify_secret_file", K::secret_file, "", {0, 3000}, kRestart,
     "signs notifications of a centre of kind \"central\"; empty: none are taken",
     in_config<kUp, &U::notify_secret_file>},
    {"upstream.connections", K::integer, "256", {1, 65536}, kHot, "to one endpoint, one try each",
     in_config<kUp, kOptions, &O::pool, &PoolOptions::connections>},
    {"upstream.queue", K::integer, "1024", {0, 1e6}, kHot, "calls that wait for one of them; above it 503",
     in_config<kUp, kOptions, &O::pool, &PoolOptions::queue>},
    {"upstream.idle_timeout", K::duration, "30s", {100 * kMs, 1 * kHour}, kHot, "of a pooled connection",
     in_config<kUp, kOptions, &O::pool, &PoolOptions::idle_timeout>},
    {"upstream.connection_max_age", K::duration, "10m", {1 * kS, 7 * kDay}, kHot,
     "a pooled connection, or the probe's, is not used again after it",
     in_config<kUp, kOptions, &O::pool, &PoolOptions::max_age>},
    {"upstream.resolve_every", K::duration, "30s", {1 * kS, 1 * kHour}, kHot, "names of endpoints are resolved again",
     in_config<kUp, kOptions, &O::resolver, &ResolverOptions::refresh>},
    {"upstream.resolve_max_age", K::duration, "1h", {1 * kS, 7 * kDay}, kHot,
     "the last good addresses serve that long when no new ones come", in_config<kUp, kOptions, &O::resolver,
     &ResolverOptions::stale_max>},

    {"upstream.endpoint[].url", K::text, nullptr, {1, 2048}, kHot,
     "https://host[:port][/path]; http:// for loopback addresses only", in_endpoint<&Endpoint::url>, {}, true},
    {"upstream.endpoint[].weight", K::integer, nullptr, {0, 100}, kHot,
     "share of the subjects in percent; for every endpoint or for none: then all serve alike",
     in_endpoint<&Endpoint::weight>},

    {"upstream.retry.attempts", K::integer, "2", {0, 2}, kHot, "retries after the first try",
     in_config<kUp, kOptions, &O::retries>},
    {"upstream.retry.base", K::duration, "100ms", {1 * kMs, 1 * kMin}, kHot, "first wait; doubles, +-20 %",
     in_config<kUp, kOptions, &O::retry_base>},
    {"upstream.retry.budget", K::number, "0.1", {0, 1}, kHot, "retries as a share of calls",
     in_config<kUp, kOptions, &O::retry_budget>},
    {"upstream.retry.budget_min", K::integer, "3", {0, 1000}, kHot, "retries a second that are always allowed",
     in_config<kUp, kOptions, &O::retry_floor>},

    {"upstream.circuit.failure_rate_threshold", K::number, "50", {0.001, 100}, kHot,
     "percent of failed tries that opens", in_config<kUp, kOptions, &O::circuit, &C::failure_rate_threshold>},
    {"upstream.circuit.slow_call_rate_threshold", K::number, "80", {0.001, 100}, kHot,
     "percent of slow tries that opens", in_config<kUp, kOptions, &O::circuit, &C::slow_call_rate_threshold>},
    {"upstream.circuit.slow_call_duration", K::duration, "2s", {1 * kMs, 1 * kMin}, kHot, "a longer try is slow",
     in_config<kUp, kOptions, &O::circuit, &C::slow_call_duration>},
    {"upstream.circuit.sliding_window.type", K::choice, "count", {}, kHot,
     "count: the last `size` tries; time: the last ten seconds", set_window_type, "count|time"},
    {"upstream.circuit.sliding_window.size", K::integer, "100", {1, 10000}, kHot, "tries; not used by a time window",
     in_config<kUp, kOptions, &O::circuit, &C::window_size>},
    {"upstream.circuit.minimum_calls", K::integer, "20", {1, 100000}, kHot, "tries in the window before rates count",
     in_config<kUp, kOptions, &O::circuit, &C::minimum_calls>},
    {"upstream.circuit.min_subjects", K::integer, "5", {1, 512}, kHot,
     "distinct subjects among the failures that open it", in_config<kUp, kOptions, &O::circuit, &C::min_subjects>},
    {"upstream.circuit.connect_failures", K::integer, "5", {1, 100000}, kHot, "in a row that open it",
     in_config<kUp, kOptions, &O::circuit, &C::connect_failures>},
    {"upstream.circuit.throttle_below", K::number, "95", {0, 100}, kHot,
     "percent of success under which calls are held back; 0: no throttle", in_config<kUp, kOptions, &O::circuit,
     &C::throttle_below>},
    {"upstream.circuit.open_wait", K::duration, "10s", {10 * kMs, 1 * kHour}, kHot,
     "until half-open; doubles with each failed round of probes", in_config<kUp, kOptions, &O::circuit, &C::open_wait>},
    {"upstream.circuit.open_wait_max", K::duration, "120s", {10 * kMs, 1 * kDay}, kHot, "where the doubling ends",
     in_config<kUp, kOptions, &O::circuit, &C::open_wait_max>},
    {"upstream.circuit.half_open_calls", K::integer, "5", {1, 1000}, kHot, "probes of a round",
     in_config<kUp, kOptions, &O::circuit, &C::half_open_calls>},
    {"upstream.circuit.half_open_wait", K::duration, "30s", {10 * kMs, 1 * kHour}, kHot,
     "without a verdict: open again", in_config<kUp, kOptions, &O::circuit, &C::half_open_wait>},
    {"upstream.circuit.recovery_ramp.steps", K::integers, "5,10,25,50,100", {0, 32}, kHot,
     "percent let through after closing, one step after the other; []: no ramp", in_config<kUp, kOptions, &O::circuit,
     &C::ramp_steps>},
    {"upstream.circuit.recovery_ramp.step", K::duration, "6s", {10 * kMs, 1 * kHour}, kHot, "length of one step",
     in_config<kUp, kOptions, &O::circuit, &C::ramp_step>},
};
// clang-format on

} // namespace

std::span<const Option> upstream_options() {
    return kRows;
}

} // namespace holdfast
