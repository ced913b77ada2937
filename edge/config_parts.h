// The sections of the configuration as plain values, one struct a section, named like its keys. Defaults and bounds are
// not here but in the option table, which fills these in. Where another layer has options of its own, they are used.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/log.h"
#include "edge/base/time.h"
#include "policy/credential.h"
#include "policy/precheck_rule.h"
#include "policy/scene_policy.h"
#include "upstream/drop_in.h"
#include "upstream/etcd_gateway.h"
#include "upstream/upstream.h"

namespace holdfast {

struct NodeConfig {
    std::string name;     // default: the host name
    std::string region;   // empty: not told; then no residency by region
    std::string data_dir; // required
};

struct ListenConfig {
    std::string address;     // "IP:port" or "[IPv6]:port"
    std::string certificate; // path, PEM; empty: plain HTTP, loopback addresses only
    std::string key;         // path, PEM
    std::vector<std::string> hosts; // that are served, see host_list.h; empty: any
    bool tls() const { return !certificate.empty(); }
};

struct AdminConfig {
    std::string socket; // path of the Unix socket; empty: none
    std::string group;  // of the socket file; where it is missing, the process's own
    std::string listen; // "IP:port", read-only; empty: none
};

struct LimitsConfig {
    std::uint64_t body_bytes = 0;
    std::uint64_t header_bytes = 0;
    std::uint64_t connections = 0;
    Nanos handshake_timeout{};
    Nanos header_timeout{};
    Nanos body_timeout{};
    std::uint64_t body_rate_min = 0; // bytes a second
    Nanos write_stall_timeout{};
    Nanos keepalive_timeout{};
    std::uint64_t connections_per_prefix = 0; // 0: no limit
    std::uint64_t memory = 0;                 // of bodies, and what clients send ahead or leave unread
    std::uint64_t in_flight = 0;              // requests not yet answered
};

struct DrainConfig {
    Nanos lame_duck{};
    Nanos timeout{};
};

struct AuthConfig {
    Nanos window{};
    std::uint64_t nonces = 0;
};

struct ClockConfig {
    bool require_sync = false;
};

struct LogConfig {
    log::Level level = log::Level::info;
    std::string file;   // empty: standard error
    std::string access; // empty: no access log
};

// [upstream.alipay] as it is written; what comes of it is UpstreamOptions::alipay.
struct AlipayConfig {
    std::string app_id, method, protocol, notify_url;
    std::string private_key_file, alipay_public_key_file;               // the second: or the three certificates
    std::string app_cert_file, alipay_cert_file, alipay_root_cert_file; // empty: plain keys
    std::string content_key_file, app_auth_token_file;                  // empty: none
    std::map<std::string, std::string> request;                         // empty: the preset of the method
    std::string request_file;                                           // "field=source"; empty: the preset's
    std::string outcome, score, id, order_no;                           // empty: the preset's
    std::vector<std::string> pass, fail, review, pending;               // all empty: the preset's
    double score_max = 0;                                               // 0: the preset's
};

struct GatewayAppConfig {
    std::string app_id, credential, public_key_file;
    std::string alipay_public_key_file; // empty: that of [upstream.alipay]
    std::string utc_offset;             // "+08:00"
};

struct GatewayConfig {
    std::string signing_key_file, provisional;
    std::map<std::string, std::string> request; // empty: the inverse of [upstream.alipay.request]
    std::vector<GatewayAppConfig> apps;
    std::string files; // hex of the SHA-256 of its keys' bytes
    // Complete. Nothing: POST /gateway.do is not served. Owners: the configuration, jobs of the thread pool.
    std::shared_ptr<const DropInSettings> settings;
};

struct TracingConfig {
    Endpoint endpoint; // of a collector's OTLP/HTTP; without url: none
    double sample = 0; // share of the traces that begin here; a caller's own sampling counts first
};

struct UpstreamConfig {
    std::string kind;        // "central"
    Nanos deadline{};        // for a whole request
    std::string ca_file;     // PEM; empty: the system's
    std::string certificate; // PEM, for mutual TLS; empty: none
    std::string key;
    AlipayConfig alipay;
    std::string notify_secret_file, notify_secret; // of the centre's notifications; empty: none are taken
    // Complete, node and region included: what Upstream is made from.
    UpstreamOptions options;
};

struct CoordinationConfig {
    std::string kind; // "local"; the rest serves "etcd"
    std::vector<std::string> endpoints;
    std::string fleet;
    Nanos lease_ttl{};
    std::uint32_t min_votes = 0;
    double quorum = 0; // share of the live nodes
    bool local_proof = true;
    std::string password_file;
    std::string ca_file;     // PEM; empty: the system's
    std::string certificate; // PEM, for mutual TLS; empty: none
    std::string key;
    EtcdOptions etcd; // of kind "etcd": endpoints parsed, user, the password's bytes
    bool shared() const { return kind == "etcd"; }
};

struct CacheConfig {
    std::uint64_t size = 0; // bytes
    std::string key_file;
    std::array<std::uint8_t, 32> key{};
};

struct OrdersConfig {
    Nanos retain{};
};

struct SceneConfig {
    std::string name;
    ScenePolicy policy;
};

// How another server of the site is reached: etcd, Consul or Nacos.
struct RemoteAccess {
    std::vector<std::string> urls;
    std::vector<Endpoint> endpoints;  // the same, parsed
    std::string user, password_file, token_file;
    std::string password, token;  // the files' bytes
    std::string ca_file, certificate, key;
    bool tls() const {
        for (const Endpoint& endpoint : endpoints)
            if (endpoint.tls) return true;
        return false;
    }
};

struct ConfigSourceConfig {
    std::string kind;  // "file", "etcd", "consul", "nacos"
    bool watch = true;
    std::string path;              // etcd and Consul: the key; Nacos: the dataId
    std::string group, space;      // Nacos
    RemoteAccess access;
};

struct RegistrationConfig {
    std::string kind;  // "none", "consul", "nacos"
    std::string service;
    std::string address;  // "IP:port" that clients are told
    std::string group, space;
    RemoteAccess access;
};

struct ReconcileConfig {
    Nanos retain{};
    std::uint64_t bytes = 0;
    std::uint32_t per_second = 0;
};

} // namespace holdfast
