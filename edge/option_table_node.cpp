// The keys of the node itself: listeners, limits, clocks, logs, stores.
#include "edge/option_put.h"
#include "policy/nonce_window.h"

namespace holdfast {
namespace {

using namespace put;
using K = OptionKind;
constexpr auto kHot = Reload::hot;
constexpr auto kRestart = Reload::restart;

void set_level(Draft& d, const OptionValue& v) {
    d.config.log.level = static_cast<log::Level>(choice("debug|info|warn|error", v.text));
}

// clang-format off
const Option kRows[] = {
    {"node.name", K::text, "", {0, 64}, kRestart, "how this node calls itself; empty: the host name",
     in_config<&Config::node, &NodeConfig::name>},
    {"node.region", K::text, "", {0, 64}, kRestart, "region of this POP, for prechecks of kind residency",
     in_config<&Config::node, &NodeConfig::region>},
    {"node.data_dir", K::path, nullptr, {1, 3000}, kRestart, "folder of cache/, state/ and journal/",
     in_config<&Config::node, &NodeConfig::data_dir>, {}, true},

    {"listen.address", K::text, nullptr, {1, 64}, kRestart, "where clients connect: IP:port or [IPv6]:port",
     in_config<&Config::listen, &ListenConfig::address>, {}, true},
    {"listen.certificate", K::input_file, "", {0, 3000}, kHot,
     "PEM, leaf first; empty: plain HTTP, allowed on loopback addresses only", in_config<&Config::listen,
     &ListenConfig::certificate>},
    {"listen.key", K::input_file, "", {0, 3000}, kHot, "PEM, the certificate's private key, without a passphrase",
     in_config<&Config::listen, &ListenConfig::key>},
    {"listen.hosts", K::texts, "", {0, 256}, kHot,
     "host names served, \"*.example.com\" too; another Host is answered 421; empty: any host",
     in_config<&Config::listen, &ListenConfig::hosts>},

    {"admin.socket", K::path, "/run/holdfast/admin.sock", {0, 107}, kRestart, "Unix socket of holdfastctl; empty: none",
     in_config<&Config::admin, &AdminConfig::socket>},
    {"admin.group", K::text, "holdfast-admin", {0, 32}, kRestart,
     "group of the socket file; the process's own where it does not exist", in_config<&Config::admin,
     &AdminConfig::group>},
    {"admin.listen", K::text, "127.0.0.1:9464", {0, 64}, kRestart,
     "read-only listener of /metrics, /livez, /readyz; empty: none", in_config<&Config::admin, &AdminConfig::listen>},

    {"limits.body_bytes", K::size, "4MiB", {1 * kKiB, 16 * kMiB}, kHot, "largest request body",
     in_config<&Config::limits, &LimitsConfig::body_bytes>},
    {"limits.header_bytes", K::size, "16KiB", {1 * kKiB, 256 * kKiB}, kHot, "largest header block; at most 100 fields",
     in_config<&Config::limits, &LimitsConfig::header_bytes>},
    {"limits.connections", K::integer, "10000", {1, 1e6}, kHot, "client connections at once",
     in_config<&Config::limits, &LimitsConfig::connections>},
    {"limits.handshake_timeout", K::duration, "5s", {100 * kMs, 5 * kMin}, kHot, "whole TLS handshake",
     in_config<&Config::limits, &LimitsConfig::handshake_timeout>},
    {"limits.header_timeout", K::duration, "10s", {100 * kMs, 5 * kMin}, kHot,
     "whole header block, from accept or the end of the handshake", in_config<&Config::limits,
     &LimitsConfig::header_timeout>},
    {"limits.body_timeout", K::duration, "10s", {100 * kMs, 10 * kMin}, kHot,
     "whole request body, however fast it comes", in_config<&Config::limits, &LimitsConfig::body_timeout>},
    {"limits.body_rate_min", K::size, "8KiB", {1, 1 * kGiB}, kHot,
     "bytes a second of a body, on average, once it has begun and after 5 s",
     in_config<&Config::limits, &LimitsConfig::body_rate_min>},
    {"limits.write_stall_timeout", K::duration, "10s", {100 * kMs, 5 * kMin}, kHot,
     "an answer that the client does not read", in_config<&Config::limits, &LimitsConfig::write_stall_timeout>},
    {"limits.keepalive_timeout", K::duration, "60s", {100 * kMs, 1 * kHour}, kHot, "idle between two requests",
     in_config<&Config::limits, &LimitsConfig::keepalive_timeout>},
    {"limits.connections_per_prefix", K::integer, "0", {0, 1e6}, kHot, "per /24 or /48; 0: no limit",
     in_config<&Config::limits, &LimitsConfig::connections_per_prefix>},
    {"limits.memory", K::size, "512MiB", {1 * kMiB, 1024 * kGiB}, kHot,
     "request bodies in flight, as they came and as they are signed, and what clients send ahead or leave unread; all "
     "connections together",
     in_config<&Config::limits, &LimitsConfig::memory>},
    {"limits.in_flight", K::integer, "20000", {1, 1e6}, kHot, "requests not yet answered; above it 503",
     in_config<&Config::limits, &LimitsConfig::in_flight>},

    {"drain.lame_duck", K::duration, "0s", {0, 1 * kHour}, kHot, "/readyz answers 503, requests are still served",
     in_config<&Config::drain, &DrainConfig::lame_duck>},
    {"drain.timeout", K::duration, "10s", {0, 1 * kHour}, kHot, "for what is in flight; idle connections close at once",
     in_config<&Config::drain, &DrainConfig::timeout>},

    {"auth.window", K::duration, "300s", {1 * kS, 1 * kHour}, kRestart,
     "how far X-Timestamp may be from now, either way", in_config<&Config::auth, &AuthConfig::window>},
    {"auth.nonces", K::integer, "4000000", {1000, double(kNonceCapacityMax)}, kRestart,
     "nonces remembered; memory is reserved at start, and a full store answers 503", in_config<&Config::auth,
     &AuthConfig::nonces>},

    {"clock.require_sync", K::boolean, "false", {}, kHot, "an unsynchronised kernel clock means no cached pass",
     in_config<&Config::clock, &ClockConfig::require_sync>},

    {"log.level", K::choice, "info", {}, kHot, "least level of the operations log", set_level, "debug|info|warn|error"},
    {"log.file", K::path, "", {0, 3000}, kRestart, "operations log; empty: standard error",
     in_config<&Config::log, &LogConfig::file>},
    {"log.access", K::path, "", {0, 3000}, kRestart, "access log, one JSON object a line; empty: none",
     in_config<&Config::log, &LogConfig::access>},
    {"tracing.endpoint", K::text, "", {0, 2048}, kRestart,
     "collector of spans, OTLP/HTTP JSON: https (upstream.ca_file), or http on loopback; empty: none",
     in_config<&Config::tracing, &TracingConfig::endpoint, &Endpoint::url>},
    {"tracing.sample", K::number, "0.01", {0, 1}, kRestart, "share of the traces that begin here; others as sampled",
     in_config<&Config::tracing, &TracingConfig::sample>},

    {"cache.size", K::size, "1GiB", {1 * kMiB, 16384 * kGiB}, kRestart,
     "outcomes and orders; oldest orders leave first", in_config<&Config::cache, &CacheConfig::size>},
    {"cache.key_file", K::secret_file, nullptr, {1, 3000}, kRestart,
     "exactly 32 bytes, never trimmed; keys the record index and seals the records", in_config<&Config::cache,
     &CacheConfig::key_file>, {}, true},

    {"orders.retain", K::duration, "6h", {1 * kMin, 7 * kDay}, kRestart,
     "how long an order number answers with its recorded outcome", in_config<&Config::orders, &OrdersConfig::retain>},

    {"reconcile.retain", K::duration, "24h", {1 * kMin, 30 * kDay}, kRestart,
     "how long the sealed request of a provisional answer is kept", in_config<&Config::reconcile,
     &ReconcileConfig::retain>},
    {"reconcile.bytes", K::size, "1GiB", {1 * kMiB, 1024 * kGiB}, kRestart,
     "for those requests; full: no provisional answers", in_config<&Config::reconcile, &ReconcileConfig::bytes>},
    {"reconcile.per_second", K::integer, "5", {1, 1000}, kHot,
     "of those requests that are put to the centre again once it is back",
     in_config<&Config::reconcile, &ReconcileConfig::per_second>},

    {"coordination.kind", K::choice, "local", {}, kRestart, "local: the node's own circuit; etcd: shared and leased",
     in_config<&Config::coordination, &CoordinationConfig::kind>, "local|etcd"},
    {"coordination.endpoints", K::texts, "http://127.0.0.1:2379", {0, 16}, kRestart, "of etcd",
     in_config<&Config::coordination, &CoordinationConfig::endpoints>},
    {"coordination.fleet", K::text, "prod", {1, 64}, kRestart, "nodes of one name share one circuit",
     in_config<&Config::coordination, &CoordinationConfig::fleet>},
    {"coordination.lease_ttl", K::duration, "10s", {2 * kS, 5 * kMin}, kRestart, "of a node's lease",
     in_config<&Config::coordination, &CoordinationConfig::lease_ttl>},
    {"coordination.min_votes", K::integer, "2", {1, 10000}, kRestart, "fewest votes that open the central circuit",
     in_config<&Config::coordination, &CoordinationConfig::min_votes>},
    {"coordination.quorum", K::number, "0.5", {0, 1}, kRestart, "share of the live nodes that opens it",
     in_config<&Config::coordination, &CoordinationConfig::quorum>},
    {"coordination.local_proof", K::boolean, "true", {}, kRestart,
     "a node that reaches the centre well stays out of it", in_config<&Config::coordination,
     &CoordinationConfig::local_proof>},
    {"coordination.user", K::text, "", {0, 256}, kRestart, "logs in at etcd by this name; empty: no login",
     in_config<&Config::coordination, &CoordinationConfig::etcd, &EtcdOptions::user>},
    {"coordination.password_file", K::secret_file, "", {0, 3000}, kRestart,
     "that user's password: the file's bytes less one final newline", in_config<&Config::coordination,
     &CoordinationConfig::password_file>},
    {"coordination.ca_file", K::input_file, "", {0, 3000}, kRestart, "PEM, of etcd's servers; empty: the system's CAs",
     in_config<&Config::coordination, &CoordinationConfig::ca_file>},
    {"coordination.certificate", K::input_file, "", {0, 3000}, kRestart, "PEM, for mutual TLS with etcd; empty: none",
     in_config<&Config::coordination, &CoordinationConfig::certificate>},
    {"coordination.key", K::input_file, "", {0, 3000}, kRestart, "PEM, of that certificate",
     in_config<&Config::coordination, &CoordinationConfig::key>},
};
// clang-format on

} // namespace

std::span<const Option> node_options() {
    return kRows;
}

} // namespace holdfast
