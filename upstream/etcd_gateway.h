// Requests to a cluster of etcd by its JSON gateway: which endpoint, the connection, the login, the limit of time, what
// an HTTP answer means. Requests are sent at most once; when an endpoint cannot be reached the next one is tried in
// the time that is left. Keys and leases are not its business. Nothing that serves clients waits for it.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/json.h"
#include "edge/base/rng.h"
#include "edge/net/loop.h"
#include "upstream/coordinator.h"
#include "upstream/endpoint.h"
#include "upstream/etcd_codec.h"
#include "upstream/etcd_rotation.h"
#include "upstream/pool.h"

namespace holdfast {

struct EtcdOptions {
    std::vector<Endpoint> endpoints;  // 1 to EtcdRotation::kEndpointsMax, of one cluster
    std::string user;                 // empty: no login
    std::string password;
    std::uint64_t cluster = 0;  // known from before: answers of another one are foreign from the start; 0: not known
};

// What an operator should hear of, told once a transition.
struct EtcdNotice {
    enum class Kind : std::uint8_t {
        reachable,      // an endpoint answers (again); `detail` names it
        unreachable,    // no endpoint has answered since; `detail` is the last failure
        writes_fail,    // of one whose reads are answered; `detail` is the last failure
        writes_work,    // after writes_fail
        login_refused,  // user or password are wrong, or etcd refuses, or misses, our certificate
        logged_in,      // after login_refused
        denied,         // logged in, and still not permitted
        garbage,        // an endpoint's answer was none
        other_cluster,  // an endpoint belongs to another cluster than those before
        revision_fell,  // the store shows older data than before: restored from a backup?
    };
    Kind kind;
    bool good = false;   // the end of a trouble
    std::string detail;  // one sentence without secrets
};

struct EtcdStatus {
    std::string endpoint;        // in use, its URL
    bool reachable = false;      // reads are answered
    std::string problem;         // of the newest request that ended; empty: it had an answer
    StoreHeader header;          // of the newest answer
    std::uint64_t requests = 0;  // ended
    std::uint64_t failures = 0;  // of them without a usable answer
    std::uint64_t logins = 0;
    std::uint64_t rotations = 0;  // another endpoint came into use
    std::uint64_t revision_falls = 0;
    std::uint64_t other_clusters = 0;
};

// What a request's fate says of the store. One without room refuses what writes and answers the rest; whether it is
// there at all is what reads of keys say: one that renews leases may yet be unable to read.
enum class EtcdSays : std::uint8_t { other, reads, writes };

class EtcdRequest;

class EtcdGateway {
  public:
    static constexpr std::size_t kRequestsMax = 64;   // under way, watches among them
    static constexpr Nanos kConnectShareMin = 250ms;  // of one endpoint's time to connect
    static constexpr Nanos kLoginRestBase = 1s;       // after a refused login; doubles
    static constexpr Nanos kLoginRestMax = 10s;
    using OnNotice = std::function<void(const EtcdNotice&)>;  // must not destroy the gateway

    // Requires: what is given outlives it, and it outlives its requests.
    EtcdGateway(Loop& loop, Dialer& dialer, Network& network, Rng& rng, EtcdOptions options, OnNotice on_notice);
    ~EtcdGateway();
    EtcdGateway(const EtcdGateway&) = delete;
    EtcdGateway& operator=(const EtcdGateway&) = delete;

    const EtcdStatus& status() const { return status_; }
    // Why none of the store's answers is passed on: only members of another cluster than the known one answer, while
    // an endpoint is left that could be one of its own. Empty: it is not so.
    const std::string& estranged() const { return reads_.failed_in_row < pools_.size() ? kNothing : foreign_problem_; }
    void forget_cluster();  // where it is so: whichever answers next is the known one

  private:
    friend class EtcdRequest;
    friend class EtcdLoginRequest;
    static inline const std::string kNothing;

    // For requests.
    bool join(EtcdRequest& request);  // false when kRequestsMax are under way
    void leave(EtcdRequest& request);
    bool needs_login() const { return !options_.user.empty() && token_.empty() && !auth_off(); }
    bool auth_off() const;
    void log_in();  // begins a login unless one is under way; joined requests are told
    void logged_in(Result<EtcdLogin> result, bool auth_off);
    void drop_token(const std::string& used);  // when it is still the current one
    // What a request came to: bookkeeping, notices, rotation.
    Result<StoreHeader> answered(std::size_t endpoint, const StoreHeader& header, Revision floor, EtcdSays says);
    void failed(std::size_t endpoint, const Error& error, bool endpoint_too, EtcdSays says);
    void tell_answered(const std::string& url, EtcdSays says);
    void endpoint_failed(std::size_t endpoint, const Error& error);
    void permitted(std::string_view path);
    void denied(std::string_view path, const Error& error);
    void tell(EtcdNotice::Kind kind, bool good, std::string detail);
    void sweep();

    Loop& loop_;
    Rng& rng_;
    EtcdOptions options_;
    OnNotice on_notice_;
    std::vector<std::unique_ptr<Pool>> pools_;  // one an endpoint
    EtcdRotation rotation_;
    json::Document doc_{kEtcdNodesMax};
    EtcdStatus status_;
    std::list<EtcdRequest*> requests_;  // under way; at most kRequestsMax
    std::uint64_t cluster_ = 0;         // whose answers are passed on; 0: none yet
    std::vector<bool> foreign_;         // endpoints that belong to another one
    std::string foreign_problem_;       // of the newest foreign answer since the last good one
    Revision newest_ = 0;               // of cluster_
    struct Way {
        std::size_t failed_in_row = 0;  // since the newest answer
        bool down = false;
        std::string problem;
    };
    Way reads_, writes_;  // of EtcdSays
    std::string token_;
    MonoTime auth_off_until_{};
    MonoTime login_rests_until_{};
    std::uint32_t login_failures_ = 0;  // in a row
    std::optional<Error> login_error_;  // why requests fail until login_rests_until_
    std::uint32_t told_ = 0;            // bits of kinds of trouble that were told and have not ended
    std::string_view denied_path_;      // of the newest request that was not permitted
    std::unique_ptr<Timer> sweep_;
    std::unique_ptr<EtcdRequest> login_;
};

}  // namespace holdfast
